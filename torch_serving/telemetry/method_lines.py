"""The metrics of methods as text: objects for each of their samples would take seconds.

A method has some 130 lines. Labels are in the order of their names, as prometheus_client has them.
"""

import functools
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from torch_serving.telemetry._counters import SECONDS, SIZES, STEPS, MethodNumbers

PREFIX = "torch_serving_"
REQUESTS = CounterMetricFamily(
    PREFIX + "requests", "Responses to inference requests; model is empty if none was found."
)
WAITS = CounterMetricFamily(
    PREFIX + "load_waits", "Requests that waited for their model to be loaded."
)
LOADS = CounterMetricFamily(PREFIX + "model_loads", "Loads of a model.")
WHOLE = HistogramMetricFamily(PREFIX + "request_seconds", "From a request's head to its response.")
STEP = HistogramMetricFamily(
    PREFIX + "step_seconds",
    "The steps of a request; queue counts only requests that ran in an executor thread, copy "
    "only those that ran on an accelerator.",
)
BATCHES = HistogramMetricFamily(PREFIX + "batch_size", "Requests that ran together, in each run.")
FAMILIES: tuple[Metric, ...] = (REQUESTS, WAITS, LOADS, WHOLE, STEP, BATCHES)
Methods = Mapping[tuple[str, str], MethodNumbers]


def method_lines(methods: Methods) -> Iterator[str]:
    """Yield the text of each family; a part of it for each method."""
    for family, lines in zip(
        FAMILIES, (requests, waits, loads, whole, steps, batches), strict=True
    ):
        yield head(family)
        yield from lines(methods)


def head(family: Metric) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"# HELP {name} {family.documentation}\n# TYPE {name} {family.type}\n"


def requests(methods: Methods) -> Iterator[str]:
    for (model, method), numbers in methods.items():
        labels = labels_of(model, method)
        for code, count in numbers.codes.items():
            yield f'{REQUESTS.name}_total{{code="{code}",{labels}}} {number(count)}\n'


def waits(methods: Methods) -> Iterator[str]:
    for (model, method), numbers in methods.items():
        if method:
            labels = labels_of(model, method)
            yield f"{WAITS.name}_total{{{labels}}} {number(numbers.cold_starts)}\n"


def loads(methods: Methods) -> Iterator[str]:
    for (model, _), numbers in methods.items():
        if numbers.loads:
            yield f'{LOADS.name}_total{{model="{escaped(model)}"}} {number(numbers.loads)}\n'


def whole(methods: Methods) -> Iterator[str]:
    for (model, method), numbers in methods.items():
        if method:
            yield histogram(WHOLE.name, SECONDS, labels_of(model, method), numbers.steps["request"])


def steps(methods: Methods) -> Iterator[str]:
    for (model, method), numbers in methods.items():
        if not method:
            continue
        for step in STEPS:
            # copies are none where it runs on the CPU
            if step != "request" and (step != "copy" or any(numbers.steps[step][0])):
                labels = f'{labels_of(model, method)},step="{step}"'
                yield histogram(STEP.name, SECONDS, labels, numbers.steps[step])


def batches(methods: Methods) -> Iterator[str]:
    for (model, method), numbers in methods.items():
        if method:
            yield histogram(BATCHES.name, SIZES, labels_of(model, method), numbers.batches)


def histogram(
    name: str, bounds: tuple[float, ...], labels: str, numbers: tuple[list[int], float]
) -> str:
    """The lines of one histogram; its buckets are cumulative: each includes those before it."""
    counts, total = numbers
    values = [number(count) for count in accumulate(counts)]
    lines = [
        f"{begin}{labels}}} {value}\n"
        for begin, value in zip(beginnings(name, bounds), [*values, values[-1]], strict=True)
    ]
    return f"{''.join(lines)}{name}_sum{{{labels}}} {number(total)}\n"


@functools.cache
def beginnings(name: str, bounds: tuple[float, ...]) -> list[str]:
    """What is before the labels in the lines of a histogram's buckets, and of its count."""
    buckets = [f'{name}_bucket{{le="{bound}",' for bound in (*bounds, "+Inf")]
    return [*buckets, f"{name}_count{{"]


def labels_of(model: str, method: str) -> str:
    return f'method="{escaped(method)}",model="{escaped(model)}"'


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@functools.lru_cache(4096)  # most counts are small, or those of the bucket before
def number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]

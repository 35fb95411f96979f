"""Measurements as a table for people."""

from collections.abc import Iterator, Sequence

from torch_serving.bench.measurement import Measurement
from torch_serving.bench.server_steps import STEPS

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}


def table(measurements: Sequence[Measurement]) -> list[str]:
    """One line for each load; the server's own times stand beside those of the client."""
    steps = [name for name in STEPS if any(step_text(each, name) for each in measurements)]
    has_server = any(each.steps for each in measurements)
    head = ["", "requests/s", *PERCENTILES, "max", "mean"]
    head += ["| server", *steps, "batch"] if has_server else []
    rows = [head, *(row_of(each, steps, has_server) for each in measurements)]
    return ["latencies in ms" + ("; of the server: means" if has_server else ""), *aligned(rows)]


def aligned(rows: Sequence[Sequence[str]], names: int = 0) -> list[str]:
    """Return the lines of a table whose first columns are `names`, and the others figures."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    signs = ["<"] * names + [">"] * (len(widths) - names)
    line = "  ".join(f"{{:{sign}{width}}}" for sign, width in zip(signs, widths, strict=True))
    return [line.format(*row).rstrip() for row in rows]


def row_of(each: Measurement, steps: Sequence[str], has_server: bool) -> list[str]:
    times = [each.percentile_ms(percentile) for percentile in PERCENTILES.values()]
    times += [each.latencies.max_ms, each.latencies.mean_ms]
    texts = map(ms_text, times) if each.latencies.count else ["-"] * len(times)
    cells = [each.load.name, f"{each.rate:,.0f}", *texts]
    if has_server:
        own = each.steps
        cells.append(f"| {ms_text(own.request_ms)}" if own else "|")
        cells += [step_text(each, name) for name in steps]
        cells.append(f"{own.batch_size:.3g}" if own and own.batch_size else "")
    return cells


def step_text(each: Measurement, name: str) -> str:
    found = each.steps.steps.get(name) if each.steps else None
    return ms_text(found.mean_ms) if found else ""


def ms_text(ms: float) -> str:
    """Three digits, as far as they are before or behind the point."""
    if ms >= 100:
        return f"{ms:,.0f}"
    return f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}" if ms >= 1 else f"{ms:.3f}"


def remarks(measurements: Sequence[Measurement]) -> list[str]:
    """What the figures do not say by themselves."""
    return [f"{each.load.name}: {remark}" for each in measurements for remark in remarks_on(each)]


def remarks_on(each: Measurement) -> Iterator[str]:
    for failure, count in each.failures.most_common():
        status = f"status {failure.status}, " if failure.status else ""
        yield f"{count:,} × {status}{failure.reason}"
    statuses = {failure.status for failure in each.failures if failure.status}
    if statuses and each.answers:
        others = ", ".join(map(str, sorted(statuses)))
        yield f"answers to the same request differ: 200 and {others}"
    if each.is_interrupted:
        yield f"interrupted after {each.seconds:.2g} s"
    elif each.unanswered:
        yield f"{each.unanswered:,} requests had no answer when the load had ended"
    if each.is_overrun:
        yield f"ended early, as {each.backlog_peak:,} requests waited: the server can't keep up"
    elif each.backlog_peak:
        yield (
            f"up to {each.backlog_peak:,} requests waited for one of {each.load.connections:,} "
            "connections; their latencies have it"
        )
    if not each.latencies.count:
        yield "nothing was answered with 200"
    yield from each.limits


def generator_text(measurements: Sequence[Measurement]) -> str:
    """What sent the load, and how busy it was."""
    names = " and ".join(dict.fromkeys(each.generator.name for each in measurements))
    busiest = max(measurements, key=lambda each: each.generator.busy_share).generator
    lag = max(each.generator.lag_p99_ms for each in measurements)
    late = f", its event loop at most {ms_text(lag)} ms late (p99)" if lag else ""
    return f"generator: {names}, busy for at most {busiest.busy_share * 100:.0f} % of a core{late}"

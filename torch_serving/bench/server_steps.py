"""The server's own times beside those of the client: what its histograms gained meanwhile."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from torch_serving.bench.address import Response
from torch_serving.bench.target import Target
from torch_serving.errors import StartupError

PREFIX = "torch_serving_"
STEPS = ("queue", "decode", "copy", "forward", "encode")
TIMEOUT_S = 10.0
Sums = dict[tuple[str, str], float]  # (metric without its prefix, step) -> value


class Step(NamedTuple):
    times: int
    mean_ms: float


class ServerSteps(NamedTuple):
    """Means over the requests that the server answered for the model meanwhile."""

    requests: int
    request_ms: float  # from a request's head to its response
    steps: dict[str, Step]
    batch_size: float  # requests that ran together


class StepReader:
    """Reads a model's histograms at the two edges of what is measured."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._model = ""  # as metrics call it
        self._readings: list[Sums] = []

    def read(self) -> None:
        if not self._target.model:
            return
        try:
            self._model = self._model or self._identifier()
            response = self._target.address.get("/metrics", TIMEOUT_S)
        except StartupError:  # it may be too busy
            return
        if response.status == 200:
            self._readings.append(dict(self._sums_in(response)))

    def steps(self) -> ServerSteps | None:
        """What was gained between the readings; None if there are not two, or nothing was."""
        if len(self._readings) != 2:
            return None
        before, after = self._readings
        gained = {key: value - before.get(key, 0.0) for key, value in after.items()}
        return steps_of(gained)

    def _identifier(self) -> str:
        """The identifier of the model, which may be measured by another name."""
        response = self._target.address.get(f"/models/{quote(self._target.model)}", TIMEOUT_S)
        found = response.document().get("identifier") if response.status == 200 else None
        return str(found or self._target.model)

    def _sums_in(self, response: Response) -> Iterator[tuple[tuple[str, str], float]]:
        from prometheus_client.parser import text_string_to_metric_families

        wanted = {"model": self._model, "method": self._target.method}
        for family in text_string_to_metric_families(response.body.decode()):
            for sample in family.samples:
                is_sum = sample.name.endswith(("_sum", "_count"))
                if is_sum and sample.labels.items() >= wanted.items():
                    name = sample.name.removeprefix(PREFIX)
                    yield (name, sample.labels.get("step", "")), sample.value


def steps_of(gained: Sums) -> ServerSteps | None:
    """Return means for what sums and counts gained."""

    def mean(name: str, step: str = "") -> Step:
        count = gained.get((f"{name}_count", step), 0.0)
        total = gained.get((f"{name}_sum", step), 0.0)
        return Step(int(count), total / count if count > 0 else 0.0)

    requests = mean("request_seconds")
    if requests.times <= 0:
        return None
    found = {name: mean("step_seconds", name) for name in STEPS}
    steps = {name: Step(each.times, each.mean_ms * 1e3) for name, each in found.items()}
    return ServerSteps(
        requests.times,
        requests.mean_ms * 1e3,
        {name: each for name, each in steps.items() if each.times > 0},
        mean("batch_size").mean_ms,
    )

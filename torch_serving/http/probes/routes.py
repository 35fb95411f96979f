"""The routes that balancers and Prometheus ask."""

from collections.abc import Callable, Iterator

from torch_serving.http.interfaces import Route
from torch_serving.http.probes.health import Healthcheck, Ready
from torch_serving.http.probes.load import Load
from torch_serving.http.probes.metrics import MetricsPage
from torch_serving.http.probes.operations import HEALTHCHECK, LOAD_NOW, METRICS, READY
from torch_serving.service.runtime import Runtime


class ProbeRoutes:
    """The routes of /metrics, /load, /healthcheck and /ready."""

    def __init__(self, runtime: Runtime, is_ready: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._is_ready = is_ready

    def routes(self) -> Iterator[Route]:
        yield Route("/metrics", MetricsPage(self._runtime.metrics), (METRICS,))
        load = Load(self._runtime.group.statistics.by_worker, self._is_ready)
        yield Route("/load", load, (LOAD_NOW,))
        yield Route("/healthcheck", Healthcheck(), (HEALTHCHECK,))
        yield Route("/ready", Ready(self._is_ready, self._runtime.devices), (READY,))

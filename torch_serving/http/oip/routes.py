"""The routes of the Open Inference Protocol."""

from collections.abc import Callable, Iterator

from torch_serving.http.interfaces import Route
from torch_serving.http.oip import models, repository, server
from torch_serving.http.oip.operations import OPERATIONS
from torch_serving.http.probes.health import Ready
from torch_serving.service.runtime import Runtime


class OipRoutes:
    """The routes below /v2."""

    def __init__(self, runtime: Runtime, is_ready: Callable[[], bool]) -> None:
        self._inference = runtime.inference
        self._management = runtime.management
        self._description = runtime.description
        self._max_body_bytes = runtime.config.max_body_bytes
        self._devices = runtime.devices
        self._is_ready = is_ready

    def routes(self) -> Iterator[Route]:
        management = self._management
        model = models.Model(self._inference, management, self._description, self._max_body_bytes)
        resources = {
            "/v2": server.Server(),
            "/v2/health/live": server.Live(),
            "/v2/health/ready": Ready(self._is_ready, self._devices, server.READY),
            "/v2/models": models.ModelNames(management),
            "/v2/models/stats": models.AllStatistics(management),
            "/v2/models/{path:path}": model,
            "/v2/repository/index": repository.Index(management),
            "/v2/repository/models/{path:path}": repository.LoadOrUnload(management),
        }
        for template, resource in resources.items():
            yield Route(template, resource, OPERATIONS[template])

"""GET /load: how busy the server is, cheap enough to ask every second."""

from collections.abc import Callable

import falcon.asgi

from torch_serving.telemetry._counters import WorkerNumbers


class Load:
    """The gauges of all workers as one small object, whatever the number of models."""

    def __init__(
        self, by_worker: Callable[[], list[WorkerNumbers]], is_ready: Callable[[], bool]
    ) -> None:
        self._by_worker = by_worker
        self._is_ready = is_ready

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        workers = self._by_worker()
        resp.media = {
            "threads": sum(each.threads for each in workers),
            "busy": sum(min(each.threads, each.jobs) for each in workers),
            "queue": sum(max(0, each.jobs - each.threads) for each in workers),
            "rejected": sum(each.rejected for each in workers),
            "draining": not self._is_ready(),
        }

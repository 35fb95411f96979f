"""Health probes: whether the server is alive, and whether it accepts requests."""

from collections.abc import Callable

import falcon
import falcon.asgi

from torch_serving.engine.devices import DevicePool
from torch_serving.errors import ShuttingDown

HEALTHY = b'{"code":200,"message":"OK","description":"OK"}'


class Healthcheck:
    """GET /healthcheck: 200 as long as the server responds."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = HEALTHY


class Ready:
    """For load balancers: 200 once models are preloaded.

    503 as soon as the server is stopping, and while all its devices are left out.
    """

    def __init__(
        self, is_ready: Callable[[], bool], devices: DevicePool, body: bytes = HEALTHY
    ) -> None:
        self._is_ready = is_ready
        self._devices = devices
        self._body = body

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        if not self._is_ready():
            raise ShuttingDown("the server stops; ask another one")
        self._devices.check_some_serve()
        resp.data = self._body

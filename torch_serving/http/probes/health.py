"""Health probes: whether the server is alive, and whether it accepts requests."""

from collections.abc import Callable

import falcon
import falcon.asgi

from torch_serving.errors import ShuttingDown

HEALTHY = b'{"code":200,"message":"OK","description":"OK"}'


class Healthcheck:
    """GET /healthcheck: 200 as long as the server responds."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = HEALTHY


class Ready:
    """For load balancers: 200 once models are preloaded, 503 as soon as the server is stopping."""

    def __init__(self, is_ready: Callable[[], bool], body: bytes = HEALTHY) -> None:
        self._is_ready = is_ready
        self._body = body

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        if not self._is_ready():
            raise ShuttingDown("the server stops; ask another one")
        resp.data = self._body

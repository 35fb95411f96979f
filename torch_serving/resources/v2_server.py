"""The server, as clients of the Open Inference Protocol see it."""

import json
from collections.abc import Callable

import falcon
import falcon.asgi

from torch_serving.errors import ShuttingDown
from torch_serving.v2.metadata import SERVER


class Server:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.text = json.dumps(SERVER)


class Live:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = b'{"live":true}'


class Ready:
    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        if not self._is_ready():
            raise ShuttingDown("the server stops; ask another one")
        resp.data = b'{"ready":true}'

"""The server, as clients of the Open Inference Protocol see it."""

import json

import falcon
import falcon.asgi

from torch_serving.codecs.oip.metadata import SERVER

READY = b'{"ready":true}'


class Server:
    """GET /v2: the metadata of the server."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.text = json.dumps(SERVER)


class Live:
    """GET /v2/health/live: 200 as long as the server responds."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = b'{"live":true}'

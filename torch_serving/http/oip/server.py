"""The server, as clients of the Open Inference Protocol see it."""

import json

import falcon
import falcon.asgi

from torch_serving.codecs.oip.metadata import SERVER

READY = b'{"ready":true}'


class Server:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.text = json.dumps(SERVER)


class Live:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = b'{"live":true}'

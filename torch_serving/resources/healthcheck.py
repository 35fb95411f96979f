"""Whether the server answers."""

import falcon
import falcon.asgi

HEALTHY = b'{"code":200,"message":"OK","description":"OK"}'


class Healthcheck:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = HEALTHY

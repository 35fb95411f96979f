"""GET /metrics: metrics of all workers for Prometheus."""

import asyncio

import falcon.asgi
from prometheus_client import CONTENT_TYPE_LATEST

from torch_serving.telemetry.prometheus import Metrics


class MetricsPage:
    """The metrics as text, in the format that Prometheus reads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.content_type = CONTENT_TYPE_LATEST
        resp.data = await asyncio.to_thread(self._metrics.text)

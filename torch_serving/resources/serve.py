"""Inference: one request through one model."""

import falcon.asgi

from torch_serving.config import Config
from torch_serving.devices import Devices, device_of
from torch_serving.engine import Engine
from torch_serving.errors import InvalidParameter
from torch_serving.models import Models, loaded
from torch_serving.parameters import parameters_of
from torch_serving.request import Request


class Serve:
    def __init__(self, models: Models, engine: Engine, config: Config) -> None:
        self._models = models
        self._engine = engine
        self._devices = Devices(config.device)
        self._max_body_bytes = config.max_body_bytes

    async def on_post(self, req: Request, resp: falcon.asgi.Response) -> None:
        identifier, device_name, name, invalidation = parameters_of(req.params)
        asked = None if device_name is None else device_of(device_name)
        body = await req.read_body(self._max_body_bytes)
        device = self._models.device_for(identifier, self._devices, asked)
        servable = self._models.get(identifier, device, invalidation)
        if servable is None:
            servable = await loaded(self._models.load(identifier, device))
            servable.method("forward").counts.waited()
        method = servable.method(name)
        req.scope["torch_serving.counts"] = method.counts
        header = req.get_header("x-request-timeout-ms")
        timeout_s = None if header is None else milliseconds(header)
        self._devices.begin(device)
        try:
            resp.data = await self._engine.submit(method, body, timeout_s)
        finally:
            self._devices.end(device)


def milliseconds(text: str) -> float:
    """The deadline that a client sets, in seconds."""
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0 and len(text) <= 12):
        raise InvalidParameter(
            f"header `X-Request-Timeout-Ms`: expected a whole number above 0, got `{text[:40]}`"
        )
    return int(text) / 1000

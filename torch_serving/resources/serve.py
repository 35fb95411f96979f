"""Inference: one request through one model."""

import falcon.asgi

from torch_serving.config import Config
from torch_serving.devices import Devices, device_of
from torch_serving.engine import Engine
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
        identifier, name, method, invalidation = parameters_of(req.params)
        asked = None if name is None else device_of(name)
        body = await req.read_body(self._max_body_bytes)
        device = asked or self._models.own_device(identifier) or self._devices.choose()
        servable = self._models.get(identifier, device, invalidation)
        if servable is None:
            servable = await loaded(self._models.load(identifier, device))
        self._devices.begin(device)
        try:
            resp.data = await self._engine.submit(servable.method(method), body)
        finally:
            self._devices.end(device)

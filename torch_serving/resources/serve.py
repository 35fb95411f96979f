"""Inference: one request through one model."""

import falcon.asgi

from torch_serving.config import Config
from torch_serving.devices import device_of
from torch_serving.engine import Engine
from torch_serving.models import Models, loaded
from torch_serving.parameters import parameters_of
from torch_serving.request import Request


class Serve:
    def __init__(self, models: Models, engine: Engine, config: Config) -> None:
        self._models = models
        self._engine = engine
        self._device = config.device
        self._max_body_bytes = config.max_body_bytes

    async def on_post(self, req: Request, resp: falcon.asgi.Response) -> None:
        parameters = parameters_of(req.params)
        device = device_of(self._device if parameters.device is None else parameters.device)
        body = await req.read_body(self._max_body_bytes)
        servable = self._models.get(parameters.identifier, device, parameters.invalidation)
        if servable is None:
            servable = await loaded(self._models.load(parameters.identifier, device))
        resp.data = await self._engine.submit(servable.method(parameters.method), body)

"""One model, described."""

import asyncio
import json
from typing import Any

import falcon
import falcon.asgi

from torch_serving.config import Config
from torch_serving.description import describe
from torch_serving.devices import Devices, device_of
from torch_serving.models import Models, loaded
from torch_serving.request import Request


class Model:
    def __init__(self, models: Models, config: Config) -> None:
        self._models = models
        self._devices = Devices(config.device)

    async def on_get(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        asked = req.get_param("device")
        own = self._models.own_device(identifier)
        device = device_of(asked) if asked else own or self._devices.choose()
        servable = await loaded(self._models.load(identifier, device))
        # its requests are tried: that takes a while, and is no work for the loop
        description: dict[str, Any] = await asyncio.to_thread(describe, servable)
        resp.content_type = falcon.MEDIA_JSON
        resp.text = json.dumps({"identifier": identifier} | description, ensure_ascii=False)

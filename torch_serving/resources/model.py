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
        name = req.get_param("device")
        asked = device_of(name) if name else None
        device = self._models.device_for(identifier, self._devices, asked)
        servable = await loaded(self._models.load(identifier, device))
        # its requests are tried: that takes a while, and is no work for the loop
        description: dict[str, Any] = await asyncio.to_thread(describe, servable)
        resp.content_type = falcon.MEDIA_JSON
        resp.text = json.dumps({"identifier": identifier} | description, ensure_ascii=False)

"""The models: which there are, what each takes and gives, and whether it is in memory."""

import asyncio
import json
from typing import Any

import falcon
import falcon.asgi

from torch_serving.engine.devices import DevicePool, asked_device
from torch_serving.errors import MethodNotAllowed, NotFound
from torch_serving.http.request import Request
from torch_serving.http.serve.parameters import once
from torch_serving.models.lifecycle import ModelLifecycle, loaded
from torch_serving.models.servable import Servable
from torch_serving.service.description import describe
from torch_serving.service.management import Management
from torch_serving.telemetry._counters import SIZES

LOAD = "/load"


class ModelList:
    def __init__(self, management: Management) -> None:
        self._management = management

    async def on_get(self, req: Request, resp: falcon.asgi.Response) -> None:
        answer(resp, {"models": await asyncio.to_thread(self._management.models)})


class Model:
    def __init__(self, models: ModelLifecycle, devices: DevicePool, management: Management) -> None:
        self._models = models
        self._devices = devices
        self._management = management

    async def on_get(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        """Describe a model; it is loaded for that."""
        check_is_model(identifier)
        device = self._device(req, identifier)
        servable = await loaded(self._models.load(identifier, device))
        # its requests are tried: that takes a while, and is no work for the loop
        answer(resp, await asyncio.to_thread(self._describe, identifier, servable))

    async def on_post(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        """`/models/<identifier>/load`: load it in all workers."""
        if not identifier.endswith(LOAD):
            raise NotFound("models are loaded by POST /models/<path>/load")
        identifier = identifier.removesuffix(LOAD)
        await self._management.load(identifier, self._device(req, identifier))
        answer(resp, await asyncio.to_thread(self._management.model, identifier))

    async def on_delete(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        """Drop it from memory; the file stays, and the next request loads it again."""
        check_is_model(identifier)
        await self._management.unload(identifier)
        answer(resp, await asyncio.to_thread(self._management.model, identifier))

    async def on_options(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        resp.set_header("allow", "POST" if identifier.endswith(LOAD) else "DELETE, GET")

    def _device(self, req: Request, identifier: str) -> Any:
        asked = asked_device(once(req.params, "device"))
        return self._models.repository.choose_device(identifier, self._devices, asked)

    def _describe(self, identifier: str, servable: Servable) -> dict[str, Any]:
        description = describe(servable)
        for name, method in description["methods"].items():
            if "batching" in method:
                method["batching"] |= self._runs(servable.identifier, name)
        status = self._management.model(identifier)
        return {**status, **description}

    def _runs(self, identifier: str, method: str) -> dict[str, Any]:
        """How many requests ran together, in all workers."""
        runs, requests = self._management.runs(identifier, method)
        sizes = [*map(str, SIZES), "more"]
        counted = {size: count for size, count in zip(sizes, runs, strict=True) if count}
        return {"requests": requests, "runs_of_up_to": counted}


def check_is_model(identifier: str) -> None:
    """Raise MethodNotAllowed for the path that loads a model."""
    if identifier.endswith(LOAD):
        raise MethodNotAllowed("POST")


def answer(resp: falcon.asgi.Response, document: dict[str, Any]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.text = json.dumps(document, ensure_ascii=False)

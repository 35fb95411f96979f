"""The models: which there are, what each takes and gives, and whether it is in memory."""

import json
from collections.abc import Iterator
from typing import Any

import falcon
import falcon.asgi

from torch_serving.errors import MethodNotAllowed, NotFound
from torch_serving.http.interfaces import Route
from torch_serving.http.management import operations
from torch_serving.http.query import check_known
from torch_serving.http.request import Request
from torch_serving.http.serve.endpoint import once
from torch_serving.service.description import Description
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.interfaces import ModelManagement
from torch_serving.service.runtime import Runtime

LOAD = "/load"


class ManagementRoutes:
    """The routes of /models."""

    def __init__(self, runtime: Runtime) -> None:
        self._management = runtime.management
        self._description = runtime.description

    def routes(self) -> Iterator[Route]:
        yield Route("/models", ModelList(self._management), (operations.LIST,))
        model = Model(self._management, self._description)
        yield Route("/models/{identifier:path}", model, operations.MODEL)


class ModelList:
    """GET /models: the status of each model, and the memory of the devices."""

    def __init__(self, management: ModelManagement) -> None:
        self._management = management

    async def on_get(self, req: Request, resp: falcon.asgi.Response) -> None:
        respond(resp, await in_file_thread(self._document))

    def _document(self) -> dict[str, Any]:
        return {"models": self._management.list(), "devices": self._management.devices()}


class Model:
    """The paths below /models: describe, load and unload one model."""

    def __init__(self, management: ModelManagement, description: Description) -> None:
        self._management = management
        self._description = description

    async def on_get(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        """Describe a model; it is loaded for that."""
        check_is_model(identifier)
        device, timeout_s = device_of(req), req.timeout_s()
        respond(resp, await self._description.describe(identifier, device, timeout_s))

    async def on_post(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        """`/models/<identifier>/load`: load it in all workers."""
        if not identifier.endswith(LOAD):
            raise NotFound("models are loaded by POST /models/<path>/load")
        device, timeout_s = device_of(req), req.timeout_s()
        model = identifier.removesuffix(LOAD)
        respond(resp, await self._management.load(model, device, timeout_s))

    async def on_delete(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        """Drop it from memory; the file stays, and the next request loads it again."""
        check_is_model(identifier)
        check_known(req.params)
        respond(resp, await self._management.unload(identifier))

    async def on_options(self, req: Request, resp: falcon.asgi.Response, identifier: str) -> None:
        resp.set_header("allow", "POST" if identifier.endswith(LOAD) else "DELETE, GET, HEAD")


def check_is_model(identifier: str) -> None:
    """Raise MethodNotAllowed for the path that loads a model."""
    if identifier.endswith(LOAD):
        raise MethodNotAllowed("POST")


def device_of(req: Request) -> str | None:
    check_known(req.params, ("device",))
    return once(req.params, "device")


def respond(resp: falcon.asgi.Response, document: dict[str, Any]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.text = json.dumps(document, ensure_ascii=False)

"""The model repository of the Open Inference Protocol."""

import json

import falcon
import falcon.asgi

from torch_serving.codecs.interfaces import Body
from torch_serving.codecs.json._decoder import read_json
from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.codecs.oip.request import present
from torch_serving.errors import NotFound
from torch_serving.http.oip.model_states import model_state
from torch_serving.http.request import Request
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.interfaces import ModelManagement

MAX_BODY_BYTES = 1 << 20  # parameters, none of which is a model


class Index:
    """POST /v2/repository/index: the states of all models."""

    def __init__(self, management: ModelManagement) -> None:
        self._management = management

    async def on_post(self, req: Request, resp: falcon.asgi.Response) -> None:
        body = await req.read_body(MAX_BODY_BYTES, may_be_empty=True)
        only_ready = only_ready_of(body)
        statuses = await in_file_thread(self._management.list)
        resp.text = json.dumps(
            [
                {"name": name, "version": VERSION, "state": state, "reason": reason}
                for name, state, reason in map(model_state, statuses)
                if state == "READY" or not only_ready
            ]
        )


class LoadOrUnload:
    """Names of models may hold `/`, so a path is read from its end."""

    def __init__(self, management: ModelManagement) -> None:
        self._management = management

    async def on_post(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        model, _, action = path.rpartition("/")
        if action not in ("load", "unload") or not model:
            raise NotFound("models are at /v2/repository/models/<name>/load and …/unload")
        check_parameters(await req.read_body(MAX_BODY_BYTES, may_be_empty=True))
        if action == "load":
            await self._management.load(model, timeout_s=req.timeout_s())
        else:
            await self._management.unload(model)
        resp.text = "{}"


def only_ready_of(body: Body) -> bool:
    """Whether only models that are ready are asked for."""
    members = present(read_json(body)) if body else {}
    return "ready" in members and members["ready"].boolean()


def check_parameters(body: Body) -> None:
    """Raise InvalidInput for a model's configuration or files: those are on the server's disk."""
    members = present(read_json(body)) if body else {}
    parameters = present(members["parameters"]) if "parameters" in members else {}
    for name, value in parameters.items():
        if name == "config" or name.startswith("file:"):
            raise value.error("models and their settings are files of the server")

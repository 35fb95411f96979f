"""Models of the Open Inference Protocol: metadata, readiness, statistics and inference."""

import asyncio
import json

import falcon.asgi

from torch_serving.codecs.oip.metadata import model_config, model_metadata
from torch_serving.errors import MethodNotAllowed, NotReady
from torch_serving.http.content_coding import compress, response_coding
from torch_serving.http.oip.endpoint import check_query, inference_request, model_action
from torch_serving.http.oip.model_states import LOADING, model_state
from torch_serving.http.oip.statistics import model_statistics
from torch_serving.http.request import Request
from torch_serving.service.description import Description
from torch_serving.service.file_threads import in_file_thread
from torch_serving.service.inference import Inference
from torch_serving.service.interfaces import InferenceRequest, ModelManagement, ModelStatus
from torch_serving.service.names import find_identifier


class ModelNames:
    """GET /v2/models: the names of all models."""

    def __init__(self, management: ModelManagement) -> None:
        self._management = management

    async def on_get(self, req: Request, resp: falcon.asgi.Response) -> None:
        names = await in_file_thread(self._management.names)
        resp.text = json.dumps({"models": names})


class AllStatistics:
    """GET /v2/models/stats: the statistics of all models."""

    def __init__(self, management: ModelManagement) -> None:
        self._management = management

    async def on_get(self, req: Request, resp: falcon.asgi.Response) -> None:
        statistics = await in_file_thread(self._management.statistics)
        resp.text = json.dumps(model_statistics(statistics))


class Model:
    """All paths below one model."""

    def __init__(
        self,
        inference: Inference,
        management: ModelManagement,
        description: Description,
        max_body_bytes: int,
    ) -> None:
        self._inference = inference
        self._management = management
        self._description = description
        self._max_body_bytes = max_body_bytes

    async def on_get(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        name, action = model_action(path)
        if action == "infer":
            raise MethodNotAllowed("POST")
        model = await find_identifier(self._inference.repository, name)
        if action == "ready":
            check_ready(await self._management.load_if_needed(model))
            resp.text = json.dumps({"name": name, "ready": True})
        elif action == "stats":
            statistics = await in_file_thread(self._management.statistics, model)
            resp.text = json.dumps(model_statistics([(name, each) for _, each in statistics]))
        else:
            describe = model_config if action == "config" else model_metadata
            deadline = self._inference.deadline(req.timeout_s())
            servable = await self._inference.servable(InferenceRequest(model), deadline)
            method = servable.method("forward")
            example = await self._description.oip_example(servable, deadline.remaining_s())
            resp.text = json.dumps(describe(name, method, example))

    async def on_options(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        is_infer = model_action(path).action == "infer"
        resp.set_header("allow", "POST" if is_infer else "GET, HEAD")

    async def on_post(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        check_query(req.params)
        request = inference_request(path, req.get_header("inference-header-content-length"))
        body = await req.read_body(self._max_body_bytes)
        response = await self._inference.respond(request, body, req)
        resp.data = response.body
        resp.set_headers(response.headers)
        if coding := response_coding(req.get_header("accept-encoding")):
            resp.data = await asyncio.to_thread(compress, response.body, coding)
            resp.set_header("content-encoding", coding)


def check_ready(status: ModelStatus) -> None:
    """Raise NotReady for a model that is not in memory, or is in quarantine."""
    state = model_state(status)
    if state.reason:
        reason = LOADING if status["state"] == "available" else state.reason
        raise NotReady(f"`{state.name}`: {reason}")

"""Models of the Open Inference Protocol: what they are, how they are, and inference."""

import asyncio
import json

import falcon
import falcon.asgi

from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.oip.metadata import model_config, model_metadata
from torch_serving.codecs.oip.request import json_length
from torch_serving.errors import MethodNotAllowed, NotReady
from torch_serving.http.oip.model_states import Repository
from torch_serving.http.oip.routes import route_of
from torch_serving.http.oip.statistics import model_statistics
from torch_serving.http.request import Request
from torch_serving.http.request_body import coding_for, encoded
from torch_serving.http.serve.resource import timeout_of
from torch_serving.service.inference import Inference


class ModelNames:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def on_get(self, req: Request, resp: falcon.asgi.Response) -> None:
        states = await asyncio.to_thread(self._repository.index)
        resp.text = json.dumps({"models": [state.name for state in states]})


class AllStatistics:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def on_get(self, req: Request, resp: falcon.asgi.Response) -> None:
        statistics = await asyncio.to_thread(self._repository.statistics)
        resp.text = json.dumps(model_statistics(statistics))


class Model:
    """All paths below one model."""

    def __init__(self, inference: Inference, repository: Repository, max_body_bytes: int) -> None:
        self._inference = inference
        self._repository = repository
        self._max_body_bytes = max_body_bytes

    async def on_get(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        model, action = route_of(path)
        if action == "infer":
            raise MethodNotAllowed("POST")
        if action == "ready":
            state = await asyncio.to_thread(self._repository.state, model)
            if state.reason:
                raise NotReady(f"`{state.name}`: {state.reason}")
            resp.text = json.dumps({"name": model, "ready": True})
        elif action == "stats":
            statistics = await asyncio.to_thread(self._repository.statistics, model)
            resp.text = json.dumps(model_statistics(statistics))
        else:
            tell = model_config if action == "config" else model_metadata
            resp.text = json.dumps(tell(model, await self._inference.method(model)))

    async def on_options(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        resp.set_header("allow", "POST" if route_of(path).action == "infer" else "GET")

    async def on_post(self, req: Request, resp: falcon.asgi.Response, path: str) -> None:
        model, action = route_of(path)
        if action != "infer":
            raise MethodNotAllowed("GET")
        json_bytes = json_length(req.get_header("inference-header-content-length"))
        body = await req.read_body(self._max_body_bytes)
        method = await self._inference.method(model)
        req.count_in(method.counters)
        invocation = OipInvocation(method, model, json_bytes)
        resp.data = await self._inference.submit(invocation, body, timeout_of(req))
        resp.set_headers(invocation.headers)
        if coding := coding_for(req.get_header("accept-encoding")):
            resp.data = await asyncio.to_thread(encoded, resp.data, coding)
            resp.set_header("content-encoding", coding)

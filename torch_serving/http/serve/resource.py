"""Inference: one request through one model."""

from collections.abc import Iterator

import falcon.asgi

from torch_serving.http.interfaces import Route
from torch_serving.http.request import Request, raw_header
from torch_serving.http.serve.endpoint import inference_request
from torch_serving.http.serve.operations import SERVE
from torch_serving.service.inference import Inference
from torch_serving.service.runtime import Runtime


class ServeRoutes:
    """The route of /serve."""

    def __init__(self, runtime: Runtime) -> None:
        self._serve = Serve(runtime.inference, runtime.config.max_body_bytes)

    def routes(self) -> Iterator[Route]:
        yield Route("/serve", self._serve, (SERVE,))


class Serve:
    """POST /serve: parameters and headers, then the body, then the model."""

    def __init__(self, inference: Inference, max_body_bytes: int) -> None:
        self._inference = inference
        self._max_body_bytes = max_body_bytes

    async def on_post(self, req: Request, resp: falcon.asgi.Response) -> None:
        request = inference_request(
            req.scope["query_string"], raw_header(req, "content-type"), raw_header(req, "accept")
        )
        body = await req.read_body(self._max_body_bytes)
        invocation = self._inference.resolve(request)
        deadline = self._inference.deadline(req.timeout_s())
        if invocation is None:
            invocation = await self._inference.load(request, deadline)
        req.count_in(invocation.counters)
        response = await self._inference.submit(invocation, body, deadline.remaining_s())
        resp.data = response.body
        resp.set_headers(response.headers)

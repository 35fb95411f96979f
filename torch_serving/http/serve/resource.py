"""Inference: one request through one model."""

from collections.abc import Iterator

import falcon.asgi

from torch_serving.errors import MissingParameter
from torch_serving.http.interfaces import Route
from torch_serving.http.request import Request, raw_header
from torch_serving.http.serve.endpoint import inference_request, with_identifier
from torch_serving.http.serve.operations import SERVE
from torch_serving.service.inference import Inference
from torch_serving.service.names import only_model
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
        query: bytes = req.scope["query_string"]
        headers = raw_header(req, "content-type"), raw_header(req, "accept")
        try:
            request = inference_request(query, *headers)
        except MissingParameter:
            only = await only_model(self._inference.repository)
            if only is None:
                raise
            request = inference_request(with_identifier(query, only), *headers)
        body = await req.read_body(self._max_body_bytes)
        response = await self._inference.respond(request, body, req)
        resp.data = response.body
        resp.set_headers(response.headers)

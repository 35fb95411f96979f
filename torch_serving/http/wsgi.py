"""The small synchronous application, for WSGI servers: `/serve` and `/healthcheck`.

Requests run in the thread that the server calls from, by the same service as elsewhere.
"""

import time
from typing import Any

import falcon

from torch_serving.codecs.interfaces import Body
from torch_serving.errors import MissingParameter, NotFound
from torch_serving.http.auth import ApiKeys, RequireKey
from torch_serving.http.content_coding import decompress, request_coding
from torch_serving.http.falcon_errors import apply_error
from torch_serving.http.other_addresses import is_about_a_model
from torch_serving.http.probes.health import HEALTHY
from torch_serving.http.request import raw_header
from torch_serving.http.request_body import check_length, check_whole
from torch_serving.http.serve.endpoint import inference_request, with_identifier
from torch_serving.service.inference import Inference
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.responses import ResponseRecorder

ROUTES = (
    "here are POST /serve?servable_identifier=<path> and GET /healthcheck; "
    "--server uvicorn has all other routes"
)


def create_app(
    runtime: Runtime, responses: ResponseRecorder, api_keys: ApiKeys | None = None
) -> falcon.App[falcon.Request, falcon.Response]:
    """Build the WSGI application of a runtime. The engine's threads are not used."""
    middleware: list[Any] = [RecordResponses(responses)]
    if api_keys:
        middleware.append(RequireKey(api_keys))
    app = falcon.App(middleware=middleware)
    app.add_route("/serve", Serve(runtime.inference, runtime.config.max_body_bytes))
    app.add_route("/healthcheck", Healthcheck())
    app.add_error_handler(Exception, respond_to_error)
    app.add_error_handler(falcon.HTTPError, respond_to_error)
    return app


class Healthcheck:
    """GET /healthcheck: 200 as long as the server responds."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = HEALTHY

    on_head = on_get


class Serve:
    """POST /serve, in the order of checks that the ASGI application has."""

    def __init__(self, inference: Inference, max_body_bytes: int) -> None:
        self._inference = inference
        self._max_body_bytes = max_body_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        request = self._request(req)
        body = read_body(req, self._max_body_bytes)
        invocation = self._inference.invocation_now(request)
        req.context.counters = invocation.counters
        response = self._inference.run(invocation, body)
        resp.data = response.body
        resp.set_headers(response.headers)

    def _request(self, req: falcon.Request) -> InferenceRequest:
        query = req.env.get("QUERY_STRING", "").encode("latin-1")
        headers = raw_header(req, "content-type"), raw_header(req, "accept")
        try:
            return inference_request(query, *headers)
        except MissingParameter:
            only = self._inference.repository.near_names.only()
            if only is None:
                raise
            return inference_request(with_identifier(query, only), *headers)


def read_body(req: falcon.Request, limit_bytes: int) -> Body:
    """Return the whole body; raises BodyTooLarge before much more than the limit is read."""
    coding = request_coding(req.get_header("content-encoding"))
    check_length(req.content_length, limit_bytes)
    # only a server that says so gives chunked bodies an end that can be read to
    terminated = req.env.get("wsgi.input_terminated", False)
    stream = req.stream if terminated else req.bounded_stream
    body: bytes = stream.read(limit_bytes + 1)
    check_length(len(body), limit_bytes)
    check_whole(body, req.content_length)
    return decompress(body, coding, limit_bytes) if coding else body


class RecordResponses:
    """Counts responses, and logs them."""

    def __init__(self, responses: ResponseRecorder) -> None:
        self._responses = responses

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.started_s = time.perf_counter()
        req.context.counters = req.context.failure = None

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        url = f"{req.path}?{req.query_string}" if req.query_string else req.path
        elapsed_s = time.perf_counter() - req.context.started_s
        request = (req.remote_addr, req.method, url, "-")
        counters, failure = req.context.counters, req.context.failure
        self._responses.record(counters, resp.status_code, elapsed_s, request, failure)


def respond_to_error(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    if isinstance(error, falcon.HTTPNotFound) and not is_about_a_model(req.path):
        error = NotFound(ROUTES)
    req.context.failure = apply_error(resp, req.path, error)

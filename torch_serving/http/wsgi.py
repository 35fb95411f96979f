"""The small synchronous face, for WSGI servers: `/serve` and `/healthcheck`.

Requests run in the thread that the server calls from, by the same engine function as elsewhere.
"""

import time
from typing import Any

import falcon

from torch_serving.codecs.invocation import invocation_of
from torch_serving.engine.devices import asked_device
from torch_serving.http.auth import ApiKeys
from torch_serving.http.falcon_errors import apply_error
from torch_serving.http.negotiation import form_of_answer, form_of_body
from torch_serving.http.probes.health import HEALTHY
from torch_serving.http.request_body import check_length, check_whole, coding_of, decoded
from torch_serving.http.serve.parameters import parameters_of
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.access_log import AccessLog


def create_app(
    runtime: Runtime, access_log: AccessLog | None = None, api_keys: ApiKeys | None = None
) -> falcon.App[falcon.Request, falcon.Response]:
    """Build the WSGI application of a runtime. The engine's lanes are not used."""
    middleware: list[Any] = [LogAccess(access_log)] if access_log else []
    if api_keys:
        middleware.append(RequireKey(api_keys))
    app = falcon.App(middleware=middleware)
    app.add_route("/serve", Serve(runtime))
    app.add_route("/healthcheck", Healthcheck())
    app.add_error_handler(Exception, answer_error)
    app.add_error_handler(falcon.HTTPError, answer_error)
    return app


class RequireKey:
    def __init__(self, api_keys: ApiKeys) -> None:
        self._api_keys = api_keys

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        authorization, api_key = req.get_header("authorization"), req.get_header("x-api-key")
        self._api_keys.check(req.path, authorization, api_key)


class Healthcheck:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = HEALTHY


class Serve:
    def __init__(self, runtime: Runtime) -> None:
        self._models = runtime.models
        self._engine = runtime.engine
        self._devices = runtime.devices
        self._max_body_bytes = runtime.config.max_body_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        identifier, device_name, name, invalidation = parameters_of(req.params)
        asked = asked_device(device_name)
        read = form_of_body(req.content_type)
        write = form_of_answer(req.get_header("accept"))
        body = read_body(req, self._max_body_bytes)
        device = self._models.repository.choose_device(identifier, self._devices, asked)
        servable = self._models.get(identifier, device, invalidation)
        if servable is None:
            servable = self._models.load(identifier, device).result()
        method = servable.method(name)
        invocation = invocation_of(method, read, write)
        resp.data = self._engine.run(invocation, body)
        resp.set_headers(invocation.headers)


def read_body(req: falcon.Request, limit_bytes: int) -> bytes:
    """Return the whole body; raises BodyTooLarge before much more than the limit is read."""
    coding = coding_of(req.get_header("content-encoding"))
    check_length(req.content_length, limit_bytes)
    # only a server that says so gives chunked bodies an end that can be read to
    terminated = req.env.get("wsgi.input_terminated", False)
    stream = req.stream if terminated else req.bounded_stream
    body: bytes = stream.read(limit_bytes + 1)
    check_length(len(body), limit_bytes)
    check_whole(body, req.content_length)
    return decoded(body, coding, limit_bytes) if coding else body


class LogAccess:
    def __init__(self, log: AccessLog) -> None:
        self._log = log

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.started_s = time.perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        url = f"{req.path}?{req.query_string}" if req.query_string else req.path
        elapsed_s = time.perf_counter() - req.context.started_s
        self._log.write(req.remote_addr, req.method, url, resp.status_code, elapsed_s)


def answer_error(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    apply_error(resp, req.path, error)

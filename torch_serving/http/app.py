"""The ASGI application: wires groups of routes, keys and errors."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi

from torch_serving.config import Config
from torch_serving.engine.devices import available_devices
from torch_serving.http.auth import ApiKeys, RequireKey, is_closed
from torch_serving.http.docs.page import DocsRoutes
from torch_serving.http.falcon_errors import apply_error
from torch_serving.http.interfaces import Route, RouteGroup
from torch_serving.http.management.models import ManagementRoutes
from torch_serving.http.oip.routes import OipRoutes
from torch_serving.http.openapi.context import DocumentContext, loaded_methods
from torch_serving.http.openapi.resource import OpenApi, OpenApiRoutes
from torch_serving.http.probes.routes import ProbeRoutes
from torch_serving.http.reach import serves_console
from torch_serving.http.request import Disconnected, Request
from torch_serving.http.root.routes import RootRoutes
from torch_serving.http.serve.resource import ServeRoutes
from torch_serving.http.server_timing import server_timing
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.step_log import REQUEST_ID, logs_steps

if TYPE_CHECKING:
    from torch_serving.http.console.routes import ConsoleRoutes

# to scripts of other origins
EXPOSED_HEADERS = (
    "X-Request-Id",
    "Retry-After",
    "Inference-Header-Content-Length",
    "Server-Timing",
)
App = falcon.asgi.App[Request, falcon.asgi.Response]


def create_app(
    runtime: Runtime,
    api_keys: ApiKeys | None = None,
    is_ready: Callable[[], bool] = lambda: True,
    console: "ConsoleRoutes | None" = None,
) -> App:
    """Build the application of a runtime, which must have been started before it is called."""
    middleware = middleware_of(runtime.config, api_keys, console)
    app = falcon.asgi.App(request_type=Request, middleware=middleware)
    for route in routes_of(runtime, api_keys, is_ready, console):
        answer_head(route.resource)
        app.add_route(route.template, route.resource)
    app.add_error_handler(Exception, respond_to_error)
    app.add_error_handler(falcon.HTTPError, respond_to_error)
    app.add_error_handler(Disconnected, ignore)
    return app


def answer_head(resource: Any) -> None:
    """HEAD is answered wherever GET is (RFC 9110, 9.1): falcon leaves the body out."""
    if hasattr(resource, "on_get"):
        resource.on_head = resource.on_get


def import_console(config: Config) -> None:
    """Import the console where it is on; before the fork, or each worker has a copy of its own."""
    if serves_console(config):
        import torch_serving.http.console.routes  # noqa: F401


def console_of(runtime: Runtime) -> "ConsoleRoutes | None":
    """The routes of the console, which is not even imported where it is off."""
    if not serves_console(runtime.config):
        return None
    from torch_serving.http.console.routes import ConsoleRoutes

    return ConsoleRoutes(runtime)


def routes_of(
    runtime: Runtime,
    api_keys: ApiKeys | None,
    is_ready: Callable[[], bool],
    console: "ConsoleRoutes | None",
) -> list[Route]:
    """All routes of the server; the OpenAPI document describes them, its own included."""
    docs = DocsRoutes()
    routes: list[Route] = []

    def context() -> DocumentContext:
        names = runtime.management.names()
        return DocumentContext(
            names,
            loaded_methods(runtime.management.loaded(), names),
            available_devices(),
            docs.files(),
            api_keys is not None,
            (api_keys.open_paths if api_keys else frozenset())
            | (console.open_paths if console else frozenset()),
            runtime.config.root_path,
        )

    show_page = console.files.show_page if console else None
    groups: list[RouteGroup] = [
        ServeRoutes(runtime),
        OipRoutes(runtime, is_ready),
        ManagementRoutes(runtime),
        ProbeRoutes(runtime, is_ready),
        OpenApiRoutes(OpenApi(routes, context, runtime.description.find_examples)),
        docs,
        RootRoutes(runtime.config.root_path, api_keys, show_page),
        *([console] if console else []),
    ]
    routes.extend(route for group in groups for route in group.routes())
    return routes


def middleware_of(
    config: Config, api_keys: ApiKeys | None, console: "ConsoleRoutes | None"
) -> list[Any]:
    middleware: list[Any] = [AddServerTiming()]
    if logs_steps():
        middleware.append(NameRequest())
    if config.cors_origins:
        origins = "*" if "*" in config.cors_origins else config.cors_origins
        middleware.append(falcon.CORSMiddleware(origins, EXPOSED_HEADERS))
        if origins != "*":
            middleware.append(VaryByOrigin())
    if api_keys:
        is_open = console.is_open if console else is_closed
        middleware.append(RequireKey(api_keys, is_open, open_preflights=bool(config.cors_origins)))
    return middleware


class NameRequest:
    """Says to the log which request the steps belong to."""

    async def process_request_async(self, req: Request, resp: falcon.asgi.Response) -> None:
        REQUEST_ID.set(req.scope.get("torch_serving.request_id", b"-").decode())


class AddServerTiming:
    """Adds the times of a request's steps, where a client asks for them; to errors as well."""

    async def process_response_async(
        self, req: Request, resp: falcon.asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        if req.steps is not None:
            times = server_timing(req.steps, time.perf_counter() - req.started_s)
            resp.set_header("server-timing", times)


class VaryByOrigin:
    """Says to caches that responses differ by `Origin`, also those to requests without one."""

    async def process_response_async(
        self, req: Request, resp: falcon.asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        resp.append_header("vary", "Origin")


async def respond_to_error(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    request_id = req.scope.get("torch_serving.request_id", b"-")
    req.scope["torch_serving.failure"] = apply_error(resp, req.path, error, request_id)


async def ignore(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    """Leave the response empty: nobody reads it."""

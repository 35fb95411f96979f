"""The ASGI application: wires resources and errors."""

from collections.abc import Callable
from typing import Any

import falcon
import falcon.asgi
import falcon.inspect

from torch_serving.config import Config
from torch_serving.engine.devices import available_devices
from torch_serving.http.auth import ApiKeys
from torch_serving.http.docs.page import DocsFile, DocsPage
from torch_serving.http.docs.swagger_ui import START, TYPES, find_files
from torch_serving.http.falcon_errors import apply_error
from torch_serving.http.management.models import Model, ModelList
from torch_serving.http.oip import models as oip_models
from torch_serving.http.oip import repository as oip_repository
from torch_serving.http.oip import server as oip_server
from torch_serving.http.oip.model_states import Repository
from torch_serving.http.openapi.context import DocumentContext, loaded_methods
from torch_serving.http.openapi.resource import OpenApi
from torch_serving.http.probes.health import Healthcheck, Ready
from torch_serving.http.probes.metrics import MetricsPage
from torch_serving.http.request import Disconnected, Request
from torch_serving.http.serve.resource import Serve
from torch_serving.service.inference import Inference
from torch_serving.service.management import Management
from torch_serving.service.runtime import Runtime

# to scripts of other origins
EXPOSED_HEADERS = ("X-Request-Id", "Retry-After", "Inference-Header-Content-Length")
App = falcon.asgi.App[Request, falcon.asgi.Response]


def create_app(
    runtime: Runtime, api_keys: ApiKeys | None = None, is_ready: Callable[[], bool] = lambda: True
) -> App:
    """Build the application of a runtime, which must have been started before it is called."""
    config, management = runtime.config, runtime.management
    app = falcon.asgi.App(request_type=Request, middleware=middleware_of(config, api_keys))
    app.add_route("/serve", Serve(runtime.inference, config.max_body_bytes))
    app.add_route("/models", ModelList(management))
    app.add_route("/models/{identifier:path}", Model(runtime.models, runtime.devices, management))
    app.add_route("/metrics", MetricsPage(runtime.metrics))
    app.add_route("/healthcheck", Healthcheck())
    app.add_route("/ready", Ready(is_ready))
    repository = Repository(runtime.models, management)
    add_v2_routes(app, runtime.inference, repository, config.max_body_bytes, is_ready)
    add_description(app, management, api_keys)
    app.add_error_handler(Exception, answer_error)
    app.add_error_handler(falcon.HTTPError, answer_error)
    app.add_error_handler(Disconnected, ignore)
    return app


def middleware_of(config: Config, api_keys: ApiKeys | None) -> list[Any]:
    middleware: list[Any] = []
    if config.cors_origins:
        origins = "*" if "*" in config.cors_origins else config.cors_origins
        middleware.append(falcon.CORSMiddleware(origins, EXPOSED_HEADERS))
    if api_keys:
        middleware.append(RequireKey(api_keys, open_preflights=bool(config.cors_origins)))
    return middleware


def add_v2_routes(
    app: App,
    inference: Inference,
    repository: Repository,
    max_body_bytes: int,
    is_ready: Callable[[], bool],
) -> None:
    """The Open Inference Protocol."""
    app.add_route("/v2", oip_server.Server())
    app.add_route("/v2/health/live", oip_server.Live())
    app.add_route("/v2/health/ready", Ready(is_ready, oip_server.READY))
    app.add_route("/v2/models", oip_models.ModelNames(repository))
    app.add_route("/v2/models/stats", oip_models.AllStatistics(repository))
    model = oip_models.Model(inference, repository, max_body_bytes)
    app.add_route("/v2/models/{path:path}", model)
    app.add_route("/v2/repository/index", oip_repository.Index(repository))
    app.add_route("/v2/repository/models/{path:path}", oip_repository.Load(repository))


def add_description(app: App, management: Management, api_keys: ApiKeys | None) -> None:
    """What the server says of itself."""
    folder = find_files()

    def context() -> DocumentContext:
        names = management.names()
        return DocumentContext(
            names,
            loaded_methods(management.held(), names),
            available_devices(),
            [*TYPES, START] if folder else [],
            api_keys is not None,
            api_keys.open_paths if api_keys else frozenset(),
        )

    app.add_route("/openapi.json", OpenApi(lambda: templates_of(app), context))
    app.add_route("/docs", DocsPage(folder))
    app.add_route("/docs/{name}", DocsFile(folder))


def templates_of(app: App) -> list[str]:
    """The routes that are registered."""
    return [route.path for route in falcon.inspect.inspect_routes(app)]


class RequireKey:
    """Comes before routing: nothing is told to whoever has no key."""

    def __init__(self, api_keys: ApiKeys, open_preflights: bool) -> None:
        self._api_keys = api_keys
        self._open_preflights = open_preflights

    async def process_request(self, req: Request, resp: falcon.asgi.Response) -> None:
        if self._open_preflights and is_preflight(req):
            return  # browsers send no key with them
        authorization, api_key = req.get_header("authorization"), req.get_header("x-api-key")
        self._api_keys.check(req.path, authorization, api_key)


def is_preflight(req: Request) -> bool:
    return req.method == "OPTIONS" and bool(req.get_header("access-control-request-method"))


async def answer_error(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    request_id = req.scope.get("torch_serving.request_id", b"-")
    apply_error(resp, req.path, error, request_id)


async def ignore(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    """Leave the answer empty: nobody reads it."""

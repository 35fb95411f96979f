"""The ASGI application: wires resources, errors and the access log."""

import time
from typing import Any

import falcon
import falcon.asgi

from torch_serving.access_log import AccessLog
from torch_serving.answers import error_answer
from torch_serving.config import Config
from torch_serving.engine import Engine
from torch_serving.models import Models
from torch_serving.request import Disconnected, Request
from torch_serving.resources.healthcheck import Healthcheck
from torch_serving.resources.model import Model
from torch_serving.resources.serve import Serve

CLIENT_CLOSED = 499  # nobody's answer, a word for the log: as nginx has it


def create_app(
    config: Config, models: Models, engine: Engine, access_log: AccessLog | None = None
) -> falcon.asgi.App[Request, falcon.asgi.Response]:
    """Build the application from its parts. The engine must have been started."""
    middleware = [LogAccess(access_log)] if access_log else []
    app = falcon.asgi.App(request_type=Request, middleware=middleware)
    app.add_route("/serve", Serve(models, engine, config))
    app.add_route("/models/{identifier:path}", Model(models, config))
    app.add_route("/healthcheck", Healthcheck())
    app.add_error_handler(Exception, answer_error)
    app.add_error_handler(falcon.HTTPError, answer_error)
    app.add_error_handler(Disconnected, ignore)
    return app


class LogAccess:
    def __init__(self, log: AccessLog) -> None:
        self._log = log

    async def process_response(
        self, req: Request, resp: falcon.asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        url = f"{req.path}?{req.query_string}" if req.query_string else req.path
        elapsed_s = time.perf_counter() - req.started_s
        self._log.write(req.client, req.method, url, resp.status_code, elapsed_s)


async def answer_error(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    error_answer(resp, error)


async def ignore(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    """Leave the answer empty, the server drops it; the log gets a status all the same."""
    resp.status = req.scope.get("state", {}).get("status", CLIENT_CLOSED)

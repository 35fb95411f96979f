"""The ASGI application: wires resources and errors."""

from typing import Any

import falcon
import falcon.asgi

from torch_serving.answers import error_answer
from torch_serving.config import Config
from torch_serving.engine import Engine
from torch_serving.models import Models
from torch_serving.request import Disconnected, Request
from torch_serving.resources.healthcheck import Healthcheck
from torch_serving.resources.model import Model
from torch_serving.resources.serve import Serve


def create_app(
    config: Config, models: Models, engine: Engine
) -> falcon.asgi.App[Request, falcon.asgi.Response]:
    """Build the application from its parts. The engine must have been started."""
    app = falcon.asgi.App(request_type=Request)
    app.add_route("/serve", Serve(models, engine, config))
    app.add_route("/models/{identifier:path}", Model(models, config))
    app.add_route("/healthcheck", Healthcheck())
    app.add_error_handler(Exception, answer_error)
    app.add_error_handler(falcon.HTTPError, answer_error)
    app.add_error_handler(Disconnected, ignore)
    return app


async def answer_error(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    error_answer(resp, error)


async def ignore(
    req: Request, resp: falcon.asgi.Response, error: Exception, params: dict[str, Any]
) -> None:
    """Leave the answer empty: nobody reads it."""

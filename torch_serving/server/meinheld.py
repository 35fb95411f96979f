"""The optional transport: meinheld, a synchronous WSGI server. It runs in one process."""

import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any

import torch

from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.http import wsgi
from torch_serving.http.auth import ApiKeys
from torch_serving.server.uvicorn import BACKLOG, KEEP_ALIVE_S
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.responses import ResponseRecorder

MARGIN_BYTES = 1 << 20

MISSING = """\
meinheld is not installed. Its last version pins a greenlet that current Pythons can't build, so:
    pip install "greenlet>=3"
    pip install --no-deps meinheld==1.0.2"""


class MeinheldTransport:
    """Calls `on_ready` when it is about to serve. Raises StartupError without meinheld."""

    def __init__(
        self,
        runtime: Runtime,
        api_keys: ApiKeys | None,
        responses: ResponseRecorder,
        on_ready: Callable[[], object],
    ) -> None:
        self._server = meinheld_server(runtime.config)
        self._application = wsgi.create_app(runtime, responses, api_keys)
        self._on_ready = on_ready
        # requests run in the thread of the server
        torch.set_num_threads(runtime.engine.threads * runtime.engine.intra_op_threads)

    def run(self, listeners: list[socket.socket], /) -> None:
        [listener] = listeners
        listener.listen(BACKLOG)
        self._server.set_listen_socket(listener.fileno())
        self._on_ready()
        with contextlib.suppress(KeyboardInterrupt):  # of SIGINT; raised after the request
            self._server.run(self._application)


def meinheld_server(config: Config) -> Any:
    """Import the server and configure it. Raises StartupError."""
    if config.workers != 1:
        raise StartupError("meinheld runs in one process; leave --workers out")
    if config.spare:
        raise StartupError("meinheld runs in one process; leave --spare out")
    try:
        from meinheld import server
    except ImportError:
        raise StartupError(MISSING) from None
    server.set_access_logger(None)
    server.set_error_logger(logging.getLogger("torch_serving.meinheld"))
    # beyond it, meinheld refuses by itself and in HTML; up to it, the application does
    server.set_max_content_length(config.max_body_bytes + MARGIN_BYTES)
    server.set_keepalive(KEEP_ALIVE_S)
    return server

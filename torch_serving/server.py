"""Runs the application. The one file that names HTTP servers."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from torch_serving import __version__, app, wsgi
from torch_serving._cache import Cache
from torch_serving.access_log import AccessLog
from torch_serving.config import Config
from torch_serving.devices import device_of
from torch_serving.engine import Engine, default_lanes
from torch_serving.errors import InvalidDevice, StartupError
from torch_serving.listener import url_of
from torch_serving.models import Models
from torch_serving.protocol import Protocol

BACKLOG = 2048
KEEP_ALIVE_S = 75  # longer than the idle time of common client pools and proxies
MEINHELD_MARGIN_BYTES = 1 << 20

MEINHELD_MISSING = """\
meinheld is not installed. Its last version pins a greenlet that current Pythons can't build, so:
    pip install "greenlet>=3"
    pip install --no-deps meinheld==1.0.2"""


def serve(config: Config, listener: socket.socket) -> None:
    """Serve until a signal says stop; accepted requests are finished first.

    Raises StartupError if the device is not there, or the server is not installed.
    """
    try:
        device_of(config.device)
    except InvalidDevice as error:
        raise StartupError(error.detail) from None
    requests: set[asyncio.Task[None]] = set()
    models = Models(config.model_root, Cache(config.model_capacity, config.buffer_size))
    engine = Engine(config.threads or default_lanes(), requests)
    engine.start()
    gc.collect()
    gc.freeze()  # torch has hundreds of thousands of objects; no collection need visit them
    access_log = AccessLog(sys.stdout) if config.log_level in ("debug", "info") else None
    try:
        if config.server == "uvicorn":
            server = uvicorn_server(config, models, engine, access_log)
            server.server_state.tasks = requests
            server.on_ready = lambda: announce(config, listener, models, engine)
            server.run(sockets=[listener])
        else:
            run_meinheld(config, listener, models, engine, access_log)
    finally:
        engine.close()
        models.close()
        if access_log:
            access_log.flush()


def announce(config: Config, listener: socket.socket, models: Models, engine: Engine) -> None:
    """Say that the server is ready, and what it serves."""
    count = models.count()
    print(
        f"torch-serving {__version__} on {url_of(listener)} ({config.server}): "
        f"{count} model{'' if count == 1 else 's'} in {config.model_root}, "
        f"device {config.device}, {engine.lanes} lanes",
        flush=True,
    )


def uvicorn_server(
    config: Config, models: Models, engine: Engine, access_log: AccessLog | None
) -> "Server":
    protocol = type(
        "ConfiguredProtocol",
        (Protocol,),
        {
            "header_timeout_s": config.header_timeout_s,
            "body_timeout_s": config.body_timeout_s,
            "max_body_bytes": config.max_body_bytes,
            "log": access_log,
        },
    )
    return Server(
        uvicorn.Config(
            app.create_app(config, models, engine, access_log),
            loop="uvloop",
            http=protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=config.shutdown_timeout_s,  # type: ignore[arg-type]
        )
    )


class Server(uvicorn.Server):
    """Says when it is ready. The first signal lets it drain, the second ends it at once."""

    on_ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving; unlike the parent's, don't raise them again afterwards."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True


def run_meinheld(
    config: Config,
    listener: socket.socket,
    models: Models,
    engine: Engine,
    access_log: AccessLog | None,
) -> None:
    try:
        from meinheld import server
    except ImportError:
        raise StartupError(MEINHELD_MISSING) from None
    listener.listen(BACKLOG)
    server.set_access_logger(None)
    server.set_error_logger(logging.getLogger("torch_serving.meinheld"))
    # beyond it, meinheld refuses by itself and in HTML; up to it, the application does
    server.set_max_content_length(config.max_body_bytes + MEINHELD_MARGIN_BYTES)
    server.set_keepalive(KEEP_ALIVE_S)
    server.set_listen_socket(listener.fileno())
    announce(config, listener, models, engine)
    server.run(wsgi.create_app(config, models, engine, access_log))

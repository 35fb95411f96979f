"""Runs the application. The one file that names HTTP servers."""

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import torch
import uvicorn

from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.http import app, wsgi
from torch_serving.http._connection import ConnectionSettings, HttpProtocol
from torch_serving.http.auth import ApiKeys
from torch_serving.http.fast_path import FastPath
from torch_serving.server.acceptor import Acceptor, Tls
from torch_serving.server.parent_channel import ParentChannel
from torch_serving.server.process import RETIRE_SIGNAL
from torch_serving.service.management import Management
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.access_log import AccessLog

BACKLOG = 2048
KEEP_ALIVE_S = 75  # longer than the idle time of common client pools and proxies
MEINHELD_MARGIN_BYTES = 1 << 20

MEINHELD_MISSING = """\
meinheld is not installed. Its last version pins a greenlet that current Pythons can't build, so:
    pip install "greenlet>=3"
    pip install --no-deps meinheld==1.0.2"""


class Threads(NamedTuple):
    """How the cores are divided: processes, lanes of each, threads of one operator."""

    workers: int
    lanes: int
    intra_op: int


class WorkerParts(NamedTuple):
    """What a worker gets from its parent."""

    runtime: Runtime
    channel: ParentChannel
    shares_listener: bool  # with other processes
    api_keys: ApiKeys | None
    tls: ssl.SSLContext | None = None


def serve_with_uvicorn(config: Config, listener: socket.socket, worker: WorkerParts) -> int:
    """Serve in this process, a worker, until its parent says stop.

    Raises StartupError for a device that is not there, and a model that can't be loaded.
    """
    runtime = worker.runtime
    runtime.start(worker.channel.try_load if config.trial_load else None)
    access_log = access_log_of(config)
    try:
        server = uvicorn_server(config, worker, access_log)
        server.server_state.tasks = runtime.in_flight
        server.run(sockets=[listener])
    finally:
        runtime.close()
        if access_log:
            access_log.flush()
    return 0


def access_log_of(config: Config) -> AccessLog | None:
    if config.log_level not in ("debug", "info"):
        return None
    return AccessLog(sys.stdout, config.log_format == "json")


def uvicorn_server(config: Config, worker: WorkerParts, access_log: AccessLog | None) -> "Server":
    runtime = worker.runtime
    application = app.create_app(runtime, worker.api_keys, lambda: not server.is_draining)
    settings = ConnectionSettings(
        runtime.tracing.wrapped(application) if runtime.tracing else application,
        access_log,
        runtime.group.statistics.unmatched,
        config.max_body_bytes,
        config.header_timeout_s,
        config.body_timeout_s,
        config.body_rate,
        KEEP_ALIVE_S,
        fast_path_of(runtime, worker.api_keys),
    )
    server = Server(uvicorn_config(config, settings))
    server.management = runtime.management
    server.channel = worker.channel
    server.drain_delay_s = config.drain_delay_s
    server.shares_listener = worker.shares_listener
    if worker.tls:
        server.tls = Tls(worker.tls, config.header_timeout_s, KEEP_ALIVE_S)
    return server


def fast_path_of(runtime: Runtime, api_keys: ApiKeys | None) -> FastPath | None:
    """None where requests are watched on their way through the application."""
    if runtime.tracing or runtime.devices.are_several:
        return None
    return FastPath(runtime.inference, runtime.engine, api_keys)


def uvicorn_config(config: Config, settings: ConnectionSettings) -> uvicorn.Config:
    """All that uvicorn would do besides listening is left to the protocol, or off."""
    return uvicorn.Config(
        settings.app,
        loop="uvloop",
        http=functools.partial(HttpProtocol, settings),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=config.shutdown_timeout_s,  # type: ignore[arg-type]
    )


class Server(uvicorn.Server):
    """Tells the parent when it is ready, and drains at its signal or when it is gone."""

    channel: ParentChannel
    management: Management
    shares_listener = False  # with other processes
    tls: Tls | None = None
    drain_delay_s = 0.0
    is_draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.shares_listener or self.tls:  # uvicorn knows no limit for handshakes
            await super().startup([])
            self.servers = [self.acceptor(each) for each in sockets or []]
        else:
            await super().startup(sockets)
        self.management.listen()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.channel, self.end_alone)
        self.channel.notify_ready()

    def acceptor(self, listener: socket.socket) -> Any:
        protocol = functools.partial(
            self.config.http_protocol_class,
            config=self.config,  # type: ignore[call-arg]
            server_state=self.server_state,
        )
        return Acceptor(listener, protocol, self.config.backlog, self.tls)

    def end_alone(self) -> None:
        """The parent is gone."""
        self._loop.remove_reader(self.channel)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the parent's signals; unlike uvicorn's own, don't raise them again afterwards."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(RETIRE_SIGNAL, lambda *_: self.stop())
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.is_draining = True
        if self.drain_delay_s:
            self._loop.call_soon_threadsafe(self._loop.call_later, self.drain_delay_s, self.stop)
        else:
            self.stop()

    def stop(self) -> None:
        self.should_exit = True


def serve_with_meinheld(
    listener: socket.socket,
    runtime: Runtime,
    api_keys: ApiKeys | None,
    on_ready: Callable[[], None],
) -> int:
    """Serve in this process. Raises StartupError if meinheld is not installed."""
    config, engine = runtime.config, runtime.engine
    if config.workers != 1:
        raise StartupError("meinheld runs in one process; leave --workers out")
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
    runtime.start()
    torch.set_num_threads(engine.lanes * engine.intra_op_threads)
    access_log = access_log_of(config)
    on_ready()
    try:
        with contextlib.suppress(KeyboardInterrupt):  # it lets it through, after its request
            server.run(wsgi.create_app(runtime, access_log, api_keys))
    finally:
        if access_log:
            access_log.flush()
    return 0

"""The transport of a worker: uvicorn listens, and our own protocol does the rest."""

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from urllib.parse import unquote

import uvicorn.loops.uvloop  # which each worker would else import for itself

from torch_serving.config import Config
from torch_serving.http import app
from torch_serving.http._connection import ConnectionSettings, HttpProtocol
from torch_serving.http.auth import ApiKeys
from torch_serving.http.fast_path import FastPath
from torch_serving.http.forwarded import TrustedProxies
from torch_serving.server.acceptor import Acceptor, Tls
from torch_serving.server.process import RETIRE_SIGNAL
from torch_serving.server.worker import WorkerContext
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.responses import ResponseRecorder

logger = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_S = 75  # longer than the idle time of common client pools and proxies


class UvicornTransport(uvicorn.Server):
    """Notifies the parent when it is ready; drains at the parent's signal or when it is gone.

    A spare does not listen before the parent promotes it.
    """

    def __init__(self, worker: WorkerContext, responses: ResponseRecorder) -> None:
        """Build the application, in the thread and process that run it."""
        runtime = worker.runtime
        config = runtime.config
        self._management = runtime.management
        self._channel = worker.channel
        self._shared = worker.shared
        self._drain_delay_s = config.drain_delay_s
        self._is_draining = False
        self._is_spare = worker.channel.is_spare
        self._listeners: list[socket.socket] = []
        self._promotion: asyncio.Task[None] | None = None
        self._tls = Tls(worker.tls, config.header_timeout_s, KEEP_ALIVE_S) if worker.tls else None
        self._console = app.console_of(runtime)
        application = app.create_app(runtime, worker.api_keys, self.is_ready, self._console)
        settings = ConnectionSettings(
            runtime.tracing.wrapped(application) if runtime.tracing else application,
            responses,
            config.max_body_bytes,
            config.header_timeout_s,
            config.body_timeout_s,
            config.body_rate,
            KEEP_ALIVE_S,
            fast_path_of(runtime, worker.api_keys),
            (config.queue + runtime.engine.threads) * config.max_body_bytes,
            TrustedProxies(config.forwarded_allow_ips),
            is_secure=self._tls is not None,
            root_path=unquote(config.root_path),
        )
        super().__init__(uvicorn_config(config, settings))
        self.server_state.tasks = runtime.in_flight

    def is_ready(self) -> bool:
        return not self._is_draining

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._listeners = sockets or []
        await self._listen([] if self._is_spare else self._listeners)
        self._management.listen()
        if self._console:
            self._console.start()
        asyncio.get_running_loop().add_reader(self._channel, self._on_parent)
        self._channel.notify_ready()
        self._watch_for_failure()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        under_way = len(self.server_state.tasks)
        logger.info("stopping: %d requests are under way", under_way)
        if self._console:
            self._console.stop()
        await super().shutdown(sockets)

    async def _listen(self, sockets: list[socket.socket]) -> None:
        # uvicorn's servers know no limit for handshakes, and don't share with other workers
        await super().startup([])
        self.servers = [self._accept(each) for each in sockets]  # type: ignore[misc]

    def _accept(self, listener: socket.socket) -> Acceptor:
        protocol = functools.partial(
            self.config.http_protocol_class,
            config=self.config,  # type: ignore[call-arg]
            server_state=self.server_state,
        )
        connections = self.server_state.connections
        return Acceptor(listener, protocol, self.config.backlog, self._tls, connections)

    def _watch_for_failure(self) -> None:
        loop = asyncio.get_running_loop()

        def on_failure() -> None:
            self._channel.notify_failed()
            if threading.get_ident() == loop_thread:
                self._fail()
            else:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._fail)

        loop_thread = threading.get_ident()
        self._shared.on_failure = on_failure
        if self._shared.failures.is_reported:
            on_failure()

    def _fail(self) -> None:
        """Accept no more: what comes from here on waits for the successor of this worker.

        Connections are closed after the response that they wait for.
        """
        self._is_draining = True
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        self._stop()

    def _on_parent(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._channel.promoted():
            loop.remove_reader(self._channel)
            self._stop()
        elif not self.should_exit:
            self._is_spare = False
            self._promotion = loop.create_task(self._listen(self._listeners))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the parent's signals; unlike uvicorn's own, don't raise them again afterwards."""
        loop = asyncio.get_running_loop()

        def drain(number: int, frame: FrameType | None) -> None:
            self._is_draining = True
            if self._drain_delay_s and not self._is_spare:
                loop.call_soon_threadsafe(loop.call_later, self._drain_delay_s, self._stop)
            else:
                self._stop()

        signal.signal(signal.SIGTERM, drain)
        signal.signal(RETIRE_SIGNAL, lambda *_: self._stop())
        yield

    def _stop(self) -> None:
        self.should_exit = True


def fast_path_of(runtime: Runtime, api_keys: ApiKeys | None) -> FastPath | None:
    """None where the steps of requests are followed, as the application does."""
    return None if runtime.inference.follows_steps else FastPath(runtime.inference, api_keys)


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

"""Runs the application. The one file that names HTTP servers."""

import asyncio
import contextlib
import fnmatch
import functools
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

import torch
import uvicorn

from torch_serving import __version__, app, wsgi
from torch_serving._cache import Cache
from torch_serving._protocol import Protocol
from torch_serving._protocol import Settings as ProtocolSettings
from torch_serving.acceptor import Acceptor
from torch_serving.access_log import AccessLog
from torch_serving.api_keys import ApiKeys
from torch_serving.config import Config
from torch_serving.devices import Devices
from torch_serving.engine import MAX_LANES, Engine, Limits, cores
from torch_serving.errors import ServingError, StartupError
from torch_serving.listener import url_of
from torch_serving.management import Management
from torch_serving.metrics import Metrics
from torch_serving.models import Models
from torch_serving.servable import Servable
from torch_serving.shared import Shared
from torch_serving.sidecar import Settings
from torch_serving.workers import WRONG_START, Lifeline, Supervisor

logger = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_S = 75  # longer than the idle time of common client pools and proxies
MEINHELD_MARGIN_BYTES = 1 << 20

MEINHELD_MISSING = """\
meinheld is not installed. Its last version pins a greenlet that current Pythons can't build, so:
    pip install "greenlet>=3"
    pip install --no-deps meinheld==1.0.2"""


def serve(config: Config, listener: socket.socket) -> int:
    """Serve until a signal says stop; accepted requests are finished first. Return the exit code.

    Raises StartupError if a device is not there, a model can't be preloaded, or the server is not
    installed.
    """
    threads = threads_of(config)
    api_keys = ApiKeys(config.api_key_file, config.open_health) if config.api_key_file else None
    check_tls(config)
    configure_torch(config)
    shared = Shared(threads.workers, config.quarantine_s)
    models = models_of(config, shared)
    forked = config.server == "uvicorn"
    if not forked or "cuda" not in config.device:  # CUDA does not survive a fork
        preload(models, config)
    gc.collect()
    gc.freeze()  # torch has hundreds of thousands of objects; no collection need visit them
    if not forked:
        return serve_with_meinheld(config, listener, models, threads, api_keys)

    def serve_in_worker(lifeline: Lifeline) -> int:
        worker = WorkerParts(models, threads, lifeline, shared, api_keys)
        return serve_with_uvicorn(config, listener, worker)

    announcement = functools.partial(announce, config, listener, models, threads)
    # a socket that the parent held open would still take connections
    return Supervisor(threads.workers, serve_in_worker, announcement, listener.close, shared).run()


class Threads(NamedTuple):
    """How the cores are divided: processes, lanes of each, threads of one operator."""

    workers: int
    lanes: int
    intra_op: int


class WorkerParts(NamedTuple):
    """What a worker gets from its parent."""

    models: Models
    threads: Threads
    lifeline: Lifeline
    shared: Shared
    api_keys: ApiKeys | None


def check_tls(config: Config) -> None:
    """Raise StartupError for a certificate or a key that can't be used."""
    if config.tls_cert and config.tls_key:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(config.tls_cert, config.tls_key)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or error.strerror or error
            raise StartupError(f"--tls-cert, --tls-key: {reason}") from None


def threads_of(config: Config) -> Threads:
    """Divide the cores. Raises StartupError if more threads are asked for than there are cores."""
    workers = config.workers or cores()
    share = max(1, cores() // workers)
    lanes = config.lanes or max(1, min(share // (config.intra_op_threads or 1), MAX_LANES))
    intra_op = config.intra_op_threads or max(1, share // lanes)
    if intra_op > 1 and workers * lanes * intra_op > cores():
        raise StartupError(
            f"{workers} workers with {lanes} lanes of {intra_op} threads are more than the "
            f"{cores()} cores; lower --workers, --lanes or --intra-op-threads"
        )
    return Threads(workers, lanes, intra_op)


def configure_torch(config: Config) -> None:
    # the parent must not start threads that its children would miss
    torch.set_num_threads(1)
    torch._C._jit_set_profiling_executor(config.jit_profiling)
    torch._C._jit_set_profiling_mode(config.jit_profiling)
    torch._C._jit_set_texpr_fuser_enabled(config.jit_fusion)


def models_of(config: Config, shared: Shared | None = None) -> Models:
    cache: Cache[Servable] = Cache(
        config.model_capacity, config.buffer_size, config.model_memory_bytes
    )

    def defaults(name: str) -> Settings:
        batch = any(fnmatch.fnmatchcase(name, pattern) for pattern in config.batch)
        return Settings(batch=batch, max_batch=config.max_batch)

    return Models(config.model_root, cache, defaults=defaults, shared=shared)


def preload(models: Models, config: Config) -> None:
    """Load what the operator wants at the start. Raises StartupError for a device that is not
    there, and for a model that can't be loaded or does not exist."""
    try:
        devices = Devices(config.device)
        for pattern in config.preload:
            names = models.names(pattern)
            if not names:
                raise StartupError(f"--preload {pattern}: no such model below {config.model_root}")
            for name in names:
                models.preload(name, models.device_for(name, devices))
    except ServingError as error:
        raise StartupError(error.detail) from None


def announce(config: Config, listener: socket.socket, models: Models, threads: Threads) -> None:
    """Say that the server is ready, and what it serves."""
    count = len(models.names())
    workers = f"{threads.workers} workers with " if threads.workers > 1 else ""
    url = url_of(listener, "https" if config.tls_cert else "http")
    print(
        f"torch-serving {__version__} on {url} ({config.server}): "
        f"{count} model{'' if count == 1 else 's'} in {config.model_root}, "
        f"device {config.device}, {workers}{threads.lanes} lane{'s'[: threads.lanes != 1]}",
        flush=True,
    )


def serve_with_uvicorn(config: Config, listener: socket.socket, parts: WorkerParts) -> int:
    """Serve in this process, a worker."""
    models, threads, lifeline, shared, api_keys = parts
    requests: set[asyncio.Task[None]] = set()
    limits = Limits(config.queue, config.queue_timeout_s, config.request_timeout_s)
    engine = Engine(
        threads.lanes,
        requests,
        threads.intra_op,
        models.free_memory,
        end_worker,
        limits,
        shared.board.mark,
        shared.statistics,
    )
    access_log = access_log_of(config)
    try:
        if "cuda" in config.device:
            preload(models, config)
        models.enter_worker()
        engine.start()
        server = uvicorn_server(config, models, engine, access_log, api_keys, shared)
        server.drain_delay_s = config.drain_delay_s
        server.server_state.tasks = requests
        server.lifeline = lifeline
        server.shares_listener = threads.workers > 1
        server.run(sockets=[listener])
    except StartupError as error:
        print(f"torch-serving: {error}", file=sys.stderr)
        return WRONG_START
    finally:
        engine.close()
        models.close()
        if access_log:
            access_log.flush()
    return 0


def end_worker(why: str) -> None:
    """End this worker once what it accepted is answered; the parent starts another one."""
    logger.critical("this worker ends: %s", why)
    os.kill(os.getpid(), signal.SIGTERM)


def access_log_of(config: Config) -> AccessLog | None:
    return AccessLog(sys.stdout) if config.log_level in ("debug", "info") else None


def uvicorn_server(
    config: Config,
    models: Models,
    engine: Engine,
    access_log: AccessLog | None,
    api_keys: ApiKeys | None = None,
    shared: Shared | None = None,
) -> "Server":
    shared = shared or Shared()
    management = Management(models, shared)
    settings = ProtocolSettings(
        app.create_app(
            config,
            models,
            engine,
            management,
            Metrics(shared.statistics),
            api_keys,
            lambda: not server.is_draining,
        ),
        access_log,
        shared.statistics.refused,
        config.max_body_bytes,
        config.header_timeout_s,
        config.body_timeout_s,
        config.body_rate,
        KEEP_ALIVE_S,
    )
    server = Server(
        uvicorn.Config(
            settings.app,
            loop="uvloop",
            http=functools.partial(Protocol, settings),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=config.shutdown_timeout_s,  # type: ignore[arg-type]
            ssl_certfile=config.tls_cert,
            ssl_keyfile=config.tls_key and str(config.tls_key),
        )
    )
    server.management = management
    return server


class Server(uvicorn.Server):
    """Tells the parent when it is ready, and drains at its signal or when it is gone."""

    lifeline: Lifeline
    management: Management
    shares_listener = False  # with other processes
    drain_delay_s = 0.0
    is_draining = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.shares_listener:
            await super().startup([])
            self.servers = [self.acceptor(each) for each in sockets or []]
        else:
            await super().startup(sockets)
        self.management.listen()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.lifeline, self.end_alone)
        self.lifeline.tell_ready()

    def acceptor(self, listener: socket.socket) -> Any:
        protocol = functools.partial(
            self.config.http_protocol_class,
            config=self.config,  # type: ignore[call-arg]
            server_state=self.server_state,
        )
        return Acceptor(listener, protocol, self.config.backlog, self.config.ssl)

    def end_alone(self) -> None:
        """The parent is gone."""
        self._loop.remove_reader(self.lifeline)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the parent's signal; unlike uvicorn's own, don't raise it again afterwards."""
        signal.signal(signal.SIGTERM, self.handle_exit)
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
    config: Config,
    listener: socket.socket,
    models: Models,
    threads: Threads,
    api_keys: ApiKeys | None,
) -> int:
    if threads.workers > 1:
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
    torch.set_num_threads(threads.lanes * threads.intra_op)
    engine = Engine(threads.lanes, free_memory=models.free_memory)
    access_log = access_log_of(config)
    announce(config, listener, models, threads)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # it lets it through, after its request
            server.run(wsgi.create_app(config, models, engine, access_log, api_keys))
    finally:
        if access_log:
            access_log.flush()
    return 0

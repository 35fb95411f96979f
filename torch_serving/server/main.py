"""From settings to a server: cores are divided, models preloaded, workers forked."""

import fnmatch
import gc
import json
import socket
import ssl
import sys

import torch

from torch_serving import __version__
from torch_serving.config import Config, ModelConfig
from torch_serving.engine.devices import Devices
from torch_serving.engine.engine import MAX_LANES, cores
from torch_serving.errors import ServingError, StartupError
from torch_serving.http.auth import ApiKeys
from torch_serving.models._cache import Cache
from torch_serving.models.repository import Models
from torch_serving.models.servable import Servable
from torch_serving.models.watcher import Watcher
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.listener import url_of
from torch_serving.server.process import Lifeline
from torch_serving.server.supervisor import WRONG_START, Supervisor
from torch_serving.server.trial_loads import Trials
from torch_serving.server.tuning import keep_freed_memory
from torch_serving.server.worker import (
    Threads,
    WorkerParts,
    serve_with_meinheld,
    serve_with_uvicorn,
)
from torch_serving.telemetry import tracing


def serve(config: Config, listener: socket.socket) -> int:
    """Serve until a signal says stop; accepted requests are finished first. Return the exit code.

    Raises StartupError if a device is not there, a model can't be preloaded, or the server is not
    installed.
    """
    threads = threads_of(config)
    keep_freed_memory()
    configure_torch(config)
    parent = Parent(config, listener, threads)
    if config.server == "meinheld":
        models, api_keys = parent.models, parent.api_keys
        return serve_with_meinheld(config, listener, models, threads, api_keys, parent.announce)
    return Supervisor(
        threads.workers,
        parent.serve_in_worker,
        parent.announce,
        listener.close,  # a socket that the parent held open would still take connections
        parent.shared,
        Trials(parent.try_load),
        parent.reload,
    ).run()


class Parent:
    """What workers inherit: models, keys, and what all of them share."""

    def __init__(self, config: Config, listener: socket.socket, threads: Threads) -> None:
        """Load it. Raises StartupError."""
        self._config = config
        self._listener = listener
        self._threads = threads
        self._cuda = "cuda" in config.device  # it does not survive a fork
        self.shared = SharedState(threads.workers, config.quarantine_s)
        self.models, self.api_keys, self._tls = self._load()

    def _load(self) -> tuple[Models, ApiKeys | None, ssl.SSLContext | None]:
        config = self._config
        tls = tls_of(config)
        if config.tracing:
            tracing.check_installed()
        api_keys = ApiKeys(config.api_key_file, config.open_health) if config.api_key_file else None
        models = models_of(config, self.shared)
        if config.server == "meinheld" or not self._cuda:
            preload(models, config)
        gc.collect()
        gc.freeze()  # torch has hundreds of thousands of objects; no collection need visit them
        return models, api_keys, tls

    def reload(self) -> None:
        """Load everything anew, for the workers that are started from now on.

        Raises StartupError if that fails; then all stays as it was.
        """
        before = self.models
        self.models, self.api_keys, self._tls = self._load()
        before.close()

    def try_load(self, question: dict[str, str], model: int) -> None:
        self.models.try_load(question, model)

    def serve_in_worker(self, lifeline: Lifeline) -> int:
        """Serve in this process, which was forked to do so; return its exit code."""
        worker = WorkerParts(
            self.models, self._threads, lifeline, self.shared, self.api_keys, self._tls
        )
        self.models.enter_worker(lifeline.survives if self._config.trial_load else None)
        if self._config.watch:
            Watcher(self.models).start()
        try:
            if self._cuda:
                preload(self.models, self._config)
            return serve_with_uvicorn(self._config, self._listener, worker)
        except StartupError as error:
            print(f"torch-serving: {error}", file=sys.stderr)
            return WRONG_START

    def announce(self) -> None:
        """Say that the server is ready, and what it serves."""
        config, threads = self._config, self._threads
        count = len(self.models.names())
        workers = f"{threads.workers} workers with " if threads.workers > 1 else ""
        url = url_of(self._listener, "https" if config.tls_cert else "http")
        line = (
            f"torch-serving {__version__} on {url} ({config.server}): "
            f"{count} model{'' if count == 1 else 's'} in {config.model_root}, "
            f"device {config.device}, {workers}{threads.lanes} thread{'s'[: threads.lanes != 1]}"
        )
        print(json.dumps({"message": line}) if config.log_format == "json" else line, flush=True)


def tls_of(config: Config) -> ssl.SSLContext | None:
    """What HTTPS needs. Raises StartupError for a certificate or a key that can't be used."""
    if not config.tls_cert:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        raise StartupError(f"--tls-cert, --tls-key: {reason}") from None
    return context


def threads_of(config: Config) -> Threads:
    """Divide the cores. Raises StartupError if more threads are asked for than there are cores."""
    workers = config.workers or cores()
    share = max(1, cores() // workers)
    lanes = config.threads or max(1, min(share // (config.intra_op_threads or 1), MAX_LANES))
    intra_op = config.intra_op_threads or max(1, share // lanes)
    if intra_op > 1 and workers * lanes * intra_op > cores():
        raise StartupError(
            f"{workers} workers × {lanes} threads × {intra_op} intra-op threads are more than the "
            f"{cores()} cores; lower --workers, --threads or --intra-op-threads"
        )
    return Threads(workers, lanes, intra_op)


def configure_torch(config: Config) -> None:
    # the parent must not start threads that its children would miss
    torch.set_num_threads(1)
    torch._C._jit_set_profiling_executor(config.jit_profiling)
    torch._C._jit_set_profiling_mode(config.jit_profiling)
    torch._C._jit_set_texpr_fuser_enabled(config.jit_fusion)


def models_of(config: Config, shared: SharedState | None = None) -> Models:
    cache: Cache[Servable] = Cache(
        config.model_capacity, config.buffer_size, config.model_memory_bytes
    )

    def defaults(name: str) -> ModelConfig:
        batch = any(fnmatch.fnmatchcase(name, pattern) for pattern in config.batch)
        return ModelConfig(batch=batch, max_batch=config.max_batch)

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

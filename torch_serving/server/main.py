"""From settings to a server: cores are divided, models preloaded, workers forked."""

import dataclasses
import gc
import json
import socket
import ssl
import sys

import torch

from torch_serving import __version__
from torch_serving.config import Config
from torch_serving.engine.engine import MAX_LANES, cores
from torch_serving.errors import StartupError
from torch_serving.http.auth import ApiKeys
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.listener import url_of
from torch_serving.server.parent_channel import ParentChannel
from torch_serving.server.supervisor import EXIT_MISCONFIGURED, Hooks, Supervisor
from torch_serving.server.tuning import keep_freed_memory
from torch_serving.server.worker import (
    Threads,
    WorkerParts,
    serve_with_meinheld,
    serve_with_uvicorn,
)
from torch_serving.service.runtime import Runtime


def serve(config: Config, listener: socket.socket) -> int:
    """Serve until a signal says stop; accepted requests are finished first. Return the exit code.

    Raises StartupError if a device is not there, a model can't be preloaded, or the server is not
    installed.
    """
    threads = threads_of(config)
    keep_freed_memory()
    torch.set_num_threads(1)  # the parent must not start threads that its children would miss
    parent = Parent(config, listener, threads)
    if config.server == "meinheld":
        return serve_with_meinheld(listener, parent.runtime, parent.api_keys, parent.announce)
    hooks = Hooks(
        serve=parent.serve_in_worker,
        on_ready=parent.announce,
        on_stop=listener.close,  # open in the parent, it would still take connections
        reload=parent.reload,
        try_load=parent.try_load,
    )
    return Supervisor(threads.workers, hooks, parent.shared).run()


class Parent:
    """What workers inherit: models, keys, and what all of them share."""

    def __init__(self, config: Config, listener: socket.socket, threads: Threads) -> None:
        """Load it. Raises StartupError."""
        self._config = dataclasses.replace(
            config,
            workers=threads.workers,
            threads=threads.lanes,
            intra_op_threads=threads.intra_op,
        )
        self._listener = listener
        self._threads = threads
        self.shared = SharedState(threads.workers, config.quarantine_s)
        self.runtime, self.api_keys, self._tls = self._load()

    def _load(self) -> tuple[Runtime, ApiKeys | None, ssl.SSLContext | None]:
        config = self._config
        tls = tls_of(config)
        api_keys = ApiKeys(config.api_key_file, config.open_health) if config.api_key_file else None
        runtime = Runtime.build(config, self.shared)
        gc.collect()
        gc.freeze()  # torch has hundreds of thousands of objects; no collection need visit them
        return runtime, api_keys, tls

    def reload(self) -> None:
        """Load everything anew, for the workers that are started from now on.

        Raises StartupError if that fails; then all stays as it was.
        """
        before = self.runtime
        self.runtime, self.api_keys, self._tls = self._load()
        before.close()

    def try_load(self, question: dict[str, str], model: int) -> None:
        self.runtime.models.try_load(question, model)

    def serve_in_worker(self, channel: ParentChannel) -> int:
        """Serve in this process, which was forked to do so; return its exit code."""
        several = self._threads.workers > 1
        worker = WorkerParts(self.runtime, channel, several, self.api_keys, self._tls)
        try:
            return serve_with_uvicorn(self._config, self._listener, worker)
        except StartupError as error:
            print(f"torch-serving: {error}", file=sys.stderr)
            return EXIT_MISCONFIGURED

    def announce(self) -> None:
        """Say that the server is ready, and what it serves."""
        config, threads = self._config, self._threads
        count = len(self.runtime.models.repository.names())
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

"""From a configuration to a server: cores are divided, models preloaded, workers forked."""

import dataclasses
import functools
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator

import torch

from torch_serving.config import Config
from torch_serving.engine.devices import AUTO, can_open, resolve_auto
from torch_serving.errors import StartupError
from torch_serving.http.app import import_console
from torch_serving.http.auth import ApiKeys
from torch_serving.models import trials
from torch_serving.server.announcement import Announcement
from torch_serving.server.cards import NO_CARDS, Cards, check_no_cuda, look_in_child
from torch_serving.server.concurrency import divide_cores, warn_of_workers
from torch_serving.server.descriptors import Lifeline, ReadyLine
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.listener import url_of
from torch_serving.server.meinheld import MeinheldTransport
from torch_serving.server.parent_channel import ParentChannel, Request
from torch_serving.server.preload_limit import preload_limit
from torch_serving.server.supervisor import EXIT_FAILED, EXIT_MISCONFIGURED, Hooks, Supervisor
from torch_serving.server.tls import load_tls_context
from torch_serving.server.trial_loads import Task
from torch_serving.server.tuning import keep_freed_memory
from torch_serving.server.uvicorn import UvicornTransport
from torch_serving.server.worker import WorkerContext, run_transport
from torch_serving.service.runtime import LimitPreload, Runtime, no_limit
from torch_serving.telemetry.output import count_dropped_lines

logger = logging.getLogger(__name__)

END_MARGIN_S = 5.0  # for a worker to end by itself after its last request


def serve(config: Config, listener: socket.socket) -> int:
    """Serve until a signal says stop; accepted requests are finished first. Return the exit code.

    Raises StartupError if a device is not there, a model can't be preloaded, or the server is not
    installed.
    """
    cards = look_in_child() if config.device.strip() == AUTO else NO_CARDS
    config = dataclasses.replace(config, device=resolve_auto(config.device, lambda: cards.usable))
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # no look at cards starts CUDA here
    config = dataclasses.replace(config, **divide_cores(config)._asdict())
    warn_of_workers(config)
    keep_freed_memory()
    torch.set_num_threads(1)  # the parent must not start threads that its children would miss
    state = PreforkState(config, listener, cards)
    if config.server == "meinheld":
        return state.serve_with_meinheld()
    hooks = Hooks(
        serve=state.serve_in_worker,
        on_ready=state.announce,
        on_stop=state.close_inherited,  # open in the parent, it would still take connections
        reload=state.reload,
        try_load=state.try_load,
        find_examples=state.find_examples,
        load_timeout_s=config.load_timeout_s,
        can_open=can_open,
        lifeline=None if config.lifeline_fd is None else Lifeline(config.lifeline_fd),
    )
    end_within_s = config.drain_delay_s + config.shutdown_timeout_s + END_MARGIN_S
    return Supervisor(config.workers or 1, hooks, state.shared, config.spare, end_within_s).run()


class PreforkState:
    """What is loaded before the fork, and inherited by workers: models, keys, certificate.

    The configuration says how the cores are divided.
    """

    def __init__(self, config: Config, listener: socket.socket, cards: Cards = NO_CARDS) -> None:
        """Load models, keys and certificate. Raises StartupError."""
        self._config = config
        self._listener = listener
        self._cards = cards
        self._has_served = False  # a worker that starts later is better than none
        self._ready_line = None if config.ready_fd is None else ReadyLine(config.ready_fd)
        self.shared = SharedState(config.workers or 0, config.quarantine_s)
        count_dropped_lines(self.shared.statistics.count_dropped)
        limit = functools.partial(preload_limit, config.load_timeout_s)
        self.runtime, self._api_keys, self._tls = self._load(limit)
        freeze_objects()

    def _load(
        self, limit_preload: LimitPreload = no_limit
    ) -> tuple[Runtime, ApiKeys | None, ssl.SSLContext | None]:
        config = self._config
        tls = load_tls_context(config)
        api_keys = ApiKeys(config.api_key_file, config.open_health) if config.api_key_file else None
        runtime = Runtime.build(config, self.shared, limit_preload)
        import_console(config)
        check_no_cuda()
        return runtime, api_keys, tls

    def reload(self) -> None:
        """Load everything anew, for the workers that are started from now on.

        Raises StartupError if that fails; then all stays as it was.
        """
        before = self.runtime
        self.runtime, self._api_keys, self._tls = self._load()
        before.close()
        del before
        gc.unfreeze()  # else the models of before stay for ever: they are part of cycles
        freeze_objects()

    def try_load(self, request: Request, model: int) -> None:
        trials.try_load(self.runtime.models.repository, request, model)

    def find_examples(self, request: Request, model: int) -> Iterator[bytes]:
        return trials.examples(self.runtime.models.repository, request, model)

    def serve_in_worker(self, channel: ParentChannel) -> int:
        """Serve in this process, which was forked to do so; return its exit code."""
        self._close_ready_line()
        worker = WorkerContext(self.runtime, channel, self.shared, self._api_keys, self._tls)
        transport = functools.partial(UvicornTransport, worker)
        try:
            run_transport(transport, self._listener, self.runtime, channel, self._has_served)
        except StartupError as error:
            print(f"torch-serving: {error}", file=sys.stderr)
            return EXIT_MISCONFIGURED
        return self._exit_code()

    def _exit_code(self) -> int:
        return EXIT_FAILED if self.shared.failures.is_reported else 0

    def close_inherited(self) -> None:
        """Close the parent's sockets: once it stops, and in other processes that it forks."""
        self._listener.close()
        self._close_ready_line()

    def _close_ready_line(self) -> None:
        if self._ready_line:
            self._ready_line.close()
            self._ready_line = None

    def serve_with_meinheld(self) -> int:
        """Serve in this process, without workers. Raises StartupError."""
        transport = functools.partial(
            MeinheldTransport, self.runtime, self._api_keys, on_ready=self.announce
        )
        self.shared.on_failure = functools.partial(os.kill, os.getpid(), signal.SIGTERM)
        run_transport(transport, self._listener, self.runtime)
        logger.info("stopped")
        return self._exit_code()

    def announce(self) -> Task | None:
        """Print that the server is ready, and what to do next: a line, or several for people.

        For people, a request that is not known yet is looked for, and printed once it is found:
        that is the task to run in a process of its own.
        """
        self._has_served = True
        self._cards.log()
        url = url_of(self._listener, "https" if self._config.tls_cert else "http")
        if self._ready_line:
            self._ready_line.write(url, self._listener.getsockname())
        announcement = Announcement(self._config, url, self.runtime.models.repository)
        lines, command = announcement.lines(), announcement.known_command()
        is_read = sys.stdout.isatty()
        later = is_read and not command and announcement.searches()
        if not later:
            lines.append(f"try: {command or announcement.other_command()}")
        print(("\n  " if is_read else "; ").join(lines), flush=True)
        if not later:
            return None
        return Task(
            lambda: print(f"  try: {announcement.found_command()}"),
            lambda: print(f"  try: {announcement.other_command()}", flush=True),
        )


def freeze_objects() -> None:
    """Let no collection visit what there is: torch alone has hundreds of thousands of objects."""
    gc.collect()
    gc.freeze()

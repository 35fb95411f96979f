"""Processes that serve, and the one that watches them.

The parent loads what is preloaded, forks, and then only waits: workers that die are started again,
more slowly each time if they die young. To reload, it starts a successor for each worker, and lets
the worker end once the successor serves. A worker whose parent dies ends too.
"""

import errno
import functools
import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.process import (
    READY,
    STOP_SIGNALS,
    Lifeline,
    Serve,
    cause_of,
    fork,
    run_worker,
)
from torch_serving.server.trial_loads import LIMIT_S, Trials

logger = logging.getLogger(__name__)

WRONG_START = 2  # a worker's exit code: the server can't start as it was asked to
YOUNG_S = 5.0
FIRST_DELAY_S, MAX_DELAY_S = 0.1, 10.0
MAX_MESSAGE = 1 << 16


class Stopped(BaseException):
    """A signal says stop while this process loads what nobody will serve any more."""


@dataclass
class Worker:
    slot: int  # of what workers share
    pid: int = 0
    connection: socket.socket | None = None
    ready: bool = False
    started_s: float = 0.0
    delay_s: float = FIRST_DELAY_S
    restart_s: float = 0.0  # when, if it is not running
    replaces: "Worker | None" = None  # which one is to end as soon as this one serves
    is_retired: bool = False  # it was told to end, for a successor serves


class Supervisor:
    """Runs `serve` in `count` processes until a signal says stop.

    The first signal lets them finish what they accepted, the second ends them at once. `on_ready`
    is called once, when all of them serve; `on_stop` before they are told to stop. At SIGHUP,
    `reload` is called, in another process first, and then all workers are replaced one by one; if
    it raises, all stays as it was.
    """

    def __init__(
        self,
        count: int,
        serve: Serve,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None] = lambda: None,
        shared: SharedState | None = None,
        trials: Trials | None = None,
        reload: Callable[[], None] = lambda: None,
    ) -> None:
        self._serve = serve
        self._on_ready: Callable[[], None] | None = on_ready
        self._on_stop = on_stop
        self._shared = shared or SharedState(count)
        self._trials = trials or Trials(lambda question, model: None)
        self._trials.let_go = self._let_go
        self._reload = reload
        self._workers = [Worker(slot) for slot in range(count)]
        self._to_replace: list[Worker] = []
        self._reload_asked = False
        self._reload_trial = 0  # the process in which it is tried
        self._is_reloading = False
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()
        self._stop_signals = 0
        self._passed_on = 0  # so many of them
        self._exit_code = 0

    def run(self) -> int:
        """Return the exit code: 0 after a stop, 2 if a worker could not start as it was asked to,
        128 and the signal's number after a second one.

        Handlers of signals only take note; all else is done by this loop, which they wake.
        """
        waking, woken = socket.socketpair()
        for end in (waking, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._ask_to_reload)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for worker in self._workers:
            if self._stop_signals == 0:
                self._start(worker)
        while self._is_needed():
            self._pass_on_stops()
            self._wait(waking)
            self._reap()
            if self._stop_signals == 0:
                self._restart()
                self._replace_next()
        self._pass_on_stops()
        return self._exit_code

    def _is_needed(self) -> bool:
        return any(worker.pid for worker in self._workers) or self._stop_signals == 0

    def _wait(self, waking: socket.socket) -> None:
        """Until a signal or a message of a worker comes, or one is due to start again."""
        due_s = [worker.restart_s for worker in self._workers if not worker.pid]
        timeout_s = max(0.0, min(due_s) - time.monotonic()) if due_s else None
        connected = {worker.connection: worker for worker in self._workers if worker.connection}
        readable, _, _ = select.select([waking, *connected], [], [], timeout_s)
        for end in readable:
            if end is waking:
                waking.recv(4096)
            else:
                self._hear(connected[end], end)
        if self._on_ready and all(worker.ready for worker in self._workers):
            self._on_ready()
            self._on_ready = None

    def _hear(self, worker: Worker, connection: socket.socket) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE, 2)
        except ConnectionError:
            message = b""
        if not message:  # it died; the signal that says so is on its way
            self._close(worker)
            return
        if message.startswith(READY):
            worker.ready = True
            self._retire(worker.replaces)
        question = message.removeprefix(READY)  # the first one may come with it
        if question:
            self._answer(question, descriptors)

    def _answer(self, question: bytes, descriptors: list[int]) -> None:
        if len(descriptors) == 2:
            self._trials.start(json.loads(question), *descriptors)
        else:  # this process has no descriptor left: the worker hears that it was not taken
            logger.error("a model can't be tried: %s", os.strerror(errno.EMFILE))
            for descriptor in descriptors:
                os.close(descriptor)

    # Starting and ending.

    def _start(self, worker: Worker) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        serve = functools.partial(self._serve_as, worker, ours)
        try:
            worker.pid = fork(functools.partial(run_worker, serve, theirs))
        finally:
            theirs.close()
        worker.connection, worker.ready = ours, False
        worker.started_s = time.monotonic()

    def _serve_as(self, worker: Worker, parents_end: socket.socket, lifeline: Lifeline) -> int:
        """What a worker does with what it was forked with."""
        self._close_connections()
        parents_end.close()
        self._shared.attach(worker.slot)
        return self._serve(lifeline)

    def _reap(self) -> None:
        self._trials.reap()
        if self._reload_trial:
            pid, status = os.waitpid(self._reload_trial, os.WNOHANG)
            if pid:
                self._reload_trial = 0
                self._reload_after_trial(os.waitstatus_to_exitcode(status))
        for worker in list(self._workers):
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._take_note(worker, os.waitstatus_to_exitcode(status))
                self._shared.detach(worker.slot)

    def _take_note(self, worker: Worker, code: int) -> None:
        """A worker has ended."""
        was_ready = worker.ready
        worker.pid, worker.ready = 0, False
        self._close(worker)
        if self._stop_signals:
            return
        if worker.is_retired:
            self._forget(worker)
        elif worker.replaces and not was_ready:
            self._forget(worker)
            self._to_replace = []
            logger.error("not reloaded: a new worker ended (%s)", cause_of(code))
        elif code == WRONG_START and not was_ready:  # it has said why; a try would not help
            self._exit_code = code
            self._stop_signals = 1
        else:
            self._plan_restart(worker, code)

    def _plan_restart(self, worker: Worker, code: int) -> None:
        lived_s = time.monotonic() - worker.started_s
        worker.delay_s = FIRST_DELAY_S if lived_s > YOUNG_S else worker.delay_s
        worker.restart_s = time.monotonic() + worker.delay_s
        running = self._shared.scoreboard.running_in(worker.slot)
        logger.error(
            "worker %d died (%s) after %.0f s, running %s; it starts again in %.1f s",
            worker.slot, cause_of(code), lived_s, ", ".join(running) or "nothing", worker.delay_s,
        )  # fmt: skip
        if code < 0:
            for name, duration_s in self._shared.quarantine.record_crash(running):
                logger.error("%s is in quarantine for %.0f s", name, duration_s)
        worker.delay_s = min(2 * worker.delay_s, MAX_DELAY_S)

    def _restart(self) -> None:
        for worker in self._workers:
            if not worker.pid and time.monotonic() >= worker.restart_s:
                self._start_or_wait(worker)

    def _start_or_wait(self, worker: Worker) -> None:
        try:
            self._start(worker)
        except OSError as error:  # no process or file descriptor is left: try again
            worker.restart_s = time.monotonic() + worker.delay_s
            worker.delay_s = min(2 * worker.delay_s, MAX_DELAY_S)
            logger.error("worker %d can't start: %s", worker.slot, error.strerror)

    # Replacing all, one by one.

    def _replace_next(self) -> None:
        """Start the next successor, if it is time to."""
        if any(worker.replaces for worker in self._workers):
            return  # one at a time: there is one slot more than workers
        if self._reload_asked and not self._to_replace and not self._reload_trial:
            self._reload_asked = False
            self._try_to_reload()
        if self._to_replace:
            taken = {worker.slot for worker in self._workers}
            slot = next(each for each in range(len(taken) + 1) if each not in taken)
            successor = Worker(slot, replaces=self._to_replace.pop(0))
            self._workers.append(successor)
            self._start_or_wait(successor)

    def _try_to_reload(self) -> None:
        """Do it in another process first: what crashed this one would end the server."""

        def run() -> int:
            self._let_go()
            signal.alarm(LIMIT_S)
            try:
                self._reload()
            except Exception as error:
                logger.error("%s", error)
                return 1
            return 0

        try:
            self._reload_trial = fork(run)
        except OSError as error:
            logger.error("not reloaded: no process can be started: %s", error.strerror)

    def _reload_after_trial(self, code: int) -> None:
        if self._stop_signals:
            return
        if code:
            logger.error("not reloaded: what is to be loaded can't be loaded (%s)", cause_of(code))
            return
        try:
            self._reload_unless_stopped()
        except Stopped:
            return
        except Exception as error:
            logger.error("not reloaded: %s", error)
            return
        self._to_replace = list(self._workers)

    def _reload_unless_stopped(self) -> None:
        try:
            self._is_reloading = True
            self._reload()
        finally:
            self._is_reloading = False

    def _retire(self, worker: Worker | None) -> None:
        """Let a worker end, as its successor serves."""
        if worker is None:
            return
        worker.is_retired = True
        if worker.pid:
            send(worker.pid, signal.SIGHUP)
        else:
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        self._workers.remove(worker)
        for other in self._workers:
            if other.replaces is worker:
                other.replaces = None
                if not self._to_replace:
                    logger.info("reloaded")

    # Signals.

    def _ask_to_reload(self, number: int, frame: FrameType | None) -> None:
        if self._has_terminal and not os.isatty(sys.stdin.fileno()):
            self._stop(number, frame)  # it was closed: whoever started the server is gone
        self._reload_asked = True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_signals += 1
        if self._stop_signals > 1:
            self._exit_code = 128 + number
        if self._is_reloading:
            raise Stopped

    def _pass_on_stops(self) -> None:
        """Tell all processes of the signals; in no handler, which may run before a new one is
        known."""
        before, self._passed_on = self._passed_on, self._stop_signals
        if before == self._passed_on:
            return
        if before == 0:
            self._on_stop()
            self._forward(signal.SIGTERM)
        if self._passed_on > 1:
            self._trials.end()
            self._forward(signal.SIGKILL)
        if self._reload_trial:
            send(self._reload_trial, signal.SIGKILL)

    def _forward(self, number: int) -> None:
        for worker in self._workers:
            if worker.pid:
                send(worker.pid, number)

    def _let_go(self) -> None:
        """What a process that tries something must not keep from its end: workers see by their
        connections that the parent is gone, and the port is free when it is."""
        self._close_connections()
        self._on_stop()

    def _close_connections(self) -> None:
        for worker in self._workers:
            self._close(worker)

    @staticmethod
    def _close(worker: Worker) -> None:
        if worker.connection is not None:
            worker.connection.close()
            worker.connection = None


def send(pid: int, number: int) -> None:
    """Send a signal to a process, unless it has just ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)

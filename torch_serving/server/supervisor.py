"""The parent of the workers.

It loads what is preloaded, forks, and then only waits. A worker that dies is started again, more
slowly each time if it dies young. One that reports that it can't go on has a successor at once,
while it drains. A worker whose parent dies ends, too.
"""

import functools
import logging
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch_serving.server.descriptors import Lifeline
from torch_serving.server.device_retry import CanOpen, DeviceRetry
from torch_serving.server.ipc.incidents import cause_of
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.parent_channel import receive
from torch_serving.server.process import exit_text
from torch_serving.server.rolling_restart import RollingRestart
from torch_serving.server.signals import Signals
from torch_serving.server.succession import Succession
from torch_serving.server.trial_loads import FindExamples, Task, TrialLoads, TryLoad
from torch_serving.server.worker_pool import (
    MIN_UPTIME_S,
    RESTART_BACKOFF_S,
    Serve,
    Worker,
    WorkerPool,
    WorkerState,
)

logger = logging.getLogger(__name__)

EXIT_MISCONFIGURED = 2  # of a worker that can't start as configured: another start would not help
EXIT_FAILED = 70  # of a worker that reported why it can't go on; EX_SOFTWARE of sysexits.h

# What a model can do to its process. Other signals come from outside: from an operator, or from the
# kernel where memory is short.
CRASH_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)


def do_nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Hooks:
    """What a supervisor calls: `serve` and trials in new processes, `reload` in both."""

    serve: Serve  # returns the exit code
    # once, when all workers serve; what it returns is run in a process of its own
    on_ready: Callable[[], Task | None] = do_nothing
    on_stop: Callable[[], None] = do_nothing  # before workers stop, and in trial processes
    reload: Callable[[], None] = do_nothing  # raises if that fails, and has changed nothing then
    try_load: TryLoad = do_nothing
    find_examples: FindExamples = lambda *_: ()
    load_timeout_s: float = math.inf  # of `try_load`
    can_open: CanOpen = lambda device: False  # for devices that workers go on without
    lifeline: Lifeline | None = None  # whose end stops the server


class Supervisor:
    """Runs `hooks.serve` in `count` processes until a signal says stop.

    The first stop signal lets workers finish the requests that they accepted, the second ends them
    at once. SIGHUP reloads (`rolling_restart`).
    """

    def __init__(
        self,
        count: int,
        hooks: Hooks,
        shared: SharedState | None = None,
        has_spare: bool = False,
        end_within_s: float = math.inf,
    ) -> None:
        """Workers that take longer than `end_within_s` to end are killed."""
        self._hooks = hooks
        self._lifeline = hooks.lifeline
        self._shared = shared or SharedState(count)
        self._signals = Signals()
        self._pool = WorkerPool(count, hooks.serve, self._shared, end_within_s)
        self._trials = TrialLoads(
            hooks.try_load, self._close_inherited, hooks.find_examples, hooks.load_timeout_s
        )
        self._restart = RollingRestart(
            self._pool,
            self._signals,
            hooks.reload,
            self._close_inherited,
            functools.partial(self._shared.incidents.count, "reloads"),
        )
        self._device_retry = DeviceRetry(
            hooks.can_open, self._shared.left_out, self._restart, self._close_inherited
        )
        self._succession = Succession(self._pool, self._restart, has_spare)
        self._was_ready = False
        self._forwarded_stops = 0

    def run(self) -> int:
        """Return the exit code.

        It is 0 after a stop, 2 if a worker could not start as configured, and 128 + the number of
        the signal after a second one.
        """
        wakeup, written = socket.socketpair()
        self._signals.install(written)
        for worker in self._pool.workers:
            if not self._signals.stops:
                self._pool.start(worker)
        while self._is_needed():
            self._forward_stop_signals()
            self._wait(wakeup)
            self._reap()
            self._pool.kill_overdue()
            if not self._signals.stops:
                self._pool.start_due()
                self._restart.advance()
                if self._was_ready:
                    self._succession.keep_spare()
                    self._device_retry.advance()
        self._forward_stop_signals()
        self._trials.end()  # nobody waits for them any more
        if self._signals.stop_signal:
            logger.info("stopped")
        return self._signals.exit_code

    def _is_needed(self) -> bool:
        return not self._signals.stops or any(each.is_running for each in self._pool.workers)

    def _wait(self, wakeup: socket.socket) -> None:
        """Wait for a signal, for a message of a worker, or until a worker is due to start."""
        workers = {each.connection: each for each in self._pool.workers if each.connection}
        lifelines = [self._lifeline] if self._lifeline else []
        ends: list[Any] = [wakeup, *lifelines, *workers]
        timeouts_s = (self._pool.timeout_s(), self._device_retry.timeout_s())
        least_s = min((each for each in timeouts_s if each is not None), default=None)
        readable, _, _ = select.select(ends, [], [], least_s)
        for end in readable:
            if end is wakeup:
                wakeup.recv(4096)
            elif end is self._lifeline:
                self._look_at_lifeline()
            else:
                self._on_message(workers[end], end)
        if not self._was_ready and all(worker.was_ready for worker in self._pool.workers):
            self._was_ready = True
            if task := self._hooks.on_ready():
                self._trials.run(task)

    def _look_at_lifeline(self) -> None:
        if self._lifeline and self._lifeline.has_ended():
            logger.info("the lifeline has ended: the server stops when its requests are done")
            self._lifeline = None
            self._signals.request_stop(0)

    def _on_message(self, worker: Worker, connection: socket.socket) -> None:
        message = receive(connection)
        if message is None:  # the worker died; SIGCHLD is on its way
            worker.close_connection()
            return
        if message.is_ready and worker.state is WorkerState.STARTING:
            worker.state = WorkerState.READY
            logger.info("%s is ready (process %d)", worker, worker.pid)
            self._restart.on_ready(worker)
        if message.has_failed:
            self._on_failure(worker)
        if message.request:
            self._trials.start(message.request, message.descriptors)

    def _reap(self) -> None:
        self._trials.reap()
        self._restart.reap()
        self._device_retry.reap()
        for worker in list(self._pool.workers):
            if worker.is_running:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._on_exit(worker, os.waitstatus_to_exitcode(status))

    def _on_failure(self, worker: Worker) -> None:
        """Judge the models that broke a worker, and start its successor while it drains."""
        failure = self._shared.failures.read(worker.slot)
        if failure is None or worker.has_failed or self._signals.stops:
            return
        worker.has_failed = True
        self._pool.expect_end(worker)
        guilty = ", ".join(failure.guilty) or "no model"
        logger.error(
            "worker %d has failed (%s), by %s; another one takes its place",
            worker.slot,
            failure.reason,
            guilty,
        )
        self._judge(failure.guilty)
        serves = worker.state is WorkerState.READY and not worker.is_spare
        if serves and self._succession.replace(worker):
            worker.state = WorkerState.FAILED

    def _judge(self, guilty: list[str]) -> None:
        for name, duration_s in self._shared.quarantine.record_crash(guilty):
            self._shared.incidents.count("quarantines", "started")
            logger.error("%s is in quarantine for %.0f s", name, duration_s)

    def _on_exit(self, worker: Worker, code: int) -> None:
        self._on_failure(worker)  # its message may still be on its way
        state, served = worker.state, worker.was_ready and not worker.is_spare
        self._shared.incidents.count("worker_exits", self._cause_of_exit(worker, code))
        running = self._shared.scoreboard.running_in(worker.slot)
        suspects = self._shared.suspects(worker.slot)
        if frames := self._shared.crashes.frames_of(worker.slot):
            logger.info("worker %d crashed in: %s", worker.slot, frames)
        self._shared.detach(worker.slot)
        worker.set_ended()
        if code == 0 or self._signals.stop_signal:
            logger.info("%s has ended (%s)", worker, exit_text(code))
        if self._signals.stops or self._restart.on_exit(worker, state, code):
            return
        if state is WorkerState.FAILED:
            self._pool.remove(worker)
        elif code == EXIT_MISCONFIGURED and not self._was_ready:  # the worker has said why
            self._signals.request_stop(code)
        elif served and worker.has_failed:
            self._pool.start_or_back_off(worker)
        else:
            if -code in CRASH_SIGNALS:
                self._judge(suspects)
            uptime_s = time.monotonic() - worker.started_s
            plan = self._plan_restart(worker, served, uptime_s)
            logger.error(
                "worker %d died (%s) after %.0f s, running %s; %s",
                worker.slot, exit_text(code), uptime_s, ", ".join(running) or "nothing", plan,
            )  # fmt: skip

    def _cause_of_exit(self, worker: Worker, code: int) -> str:
        failure = self._shared.failures.read(worker.slot)
        if failure:
            return cause_of(failure.reason)
        if worker.state is WorkerState.RETIRING:
            return "reload"
        if -code in CRASH_SIGNALS:
            return "crash"
        return "kill" if code < 0 else "exit"

    def _plan_restart(self, worker: Worker, served: bool, uptime_s: float) -> str:
        """Let the spare serve in place of a worker that died, or the worker start again."""
        if served and self._succession.promote_spare(worker):
            self._pool.remove(worker)
            return "the spare takes its place"
        if uptime_s > MIN_UPTIME_S:
            worker.backoff_s = RESTART_BACKOFF_S
        return f"it starts again in {worker.back_off():.1f} s"

    def _forward_stop_signals(self) -> None:
        """Stop all processes.

        Not done by the handlers: one may run before the parent knows the process that it forks.
        """
        before, self._forwarded_stops = self._forwarded_stops, self._signals.stops
        if before == self._forwarded_stops:
            return
        if number := self._signals.stop_signal:
            how = "now" if self._forwarded_stops > 1 else "when its requests are done"
            logger.info("%s: the server stops %s", signal.Signals(number).name, how)
        if before == 0:
            self._hooks.on_stop()
            self._pool.end(signal.SIGTERM)
        if self._forwarded_stops > 1:
            self._pool.end(signal.SIGKILL)
            self._trials.end()  # after the workers, which would say that the model crashed it
        self._restart.cancel()
        self._device_retry.cancel()

    def _close_inherited(self) -> None:
        """Close inherited sockets in a trial process.

        An open copy would hide the parent's death from the workers and keep the port bound.
        """
        self._pool.close_connections()
        self._hooks.on_stop()

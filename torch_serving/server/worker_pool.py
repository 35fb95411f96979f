"""The workers of a server: their processes, states and connections, as their parent sees them."""

import enum
import functools
import logging
import math
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch_serving.server.ipc.shared_state import NO_SLOT, SharedState
from torch_serving.server.parent_channel import PROMOTE, ParentChannel
from torch_serving.server.process import RETIRE_SIGNAL, fork, run_logged, send_signal

logger = logging.getLogger(__name__)

MIN_UPTIME_S = 5.0  # a worker that lived longer is started again without much delay
RESTART_BACKOFF_S, MAX_RESTART_BACKOFF_S = 0.1, 10.0  # the first delay, and the longest

Serve = Callable[[ParentChannel], int]


class WorkerState(enum.Enum):
    """The states of a worker; its parent moves it from one to the next."""

    WAITING = enum.auto()  # there is no process; one is started when `restart_s` has come
    STARTING = enum.auto()  # the process does not serve yet
    READY = enum.auto()
    RETIRING = enum.auto()  # the process was sent RETIRE_SIGNAL, as its successor is READY
    FAILED = enum.auto()  # the process can't go on; it drains, and its successor is on its way


@dataclass(eq=False)
class Worker:
    """One worker, as its parent sees it. Times are of the monotonic clock."""

    slot: int  # in the shared state
    state: WorkerState = WorkerState.WAITING
    pid: int = 0  # unless WAITING
    connection: socket.socket | None = None  # the parent's end
    started_s: float = 0.0
    restart_s: float = 0.0
    backoff_s: float = RESTART_BACKOFF_S  # before the next start that follows a failure
    has_failed: bool = False  # the process reported that it can't go on
    is_spare: bool = False  # it accepts no connections yet
    end_by_s: float = math.inf  # when the process is killed

    def __str__(self) -> str:
        return f"the spare worker {self.slot}" if self.is_spare else f"worker {self.slot}"

    @property
    def is_running(self) -> bool:
        return self.state is not WorkerState.WAITING

    @property
    def was_ready(self) -> bool:
        return self.state not in (WorkerState.WAITING, WorkerState.STARTING)

    def set_started(self, pid: int, connection: socket.socket) -> None:
        self.state, self.pid, self.connection = WorkerState.STARTING, pid, connection
        self.started_s = time.monotonic()
        self.has_failed = False
        self.end_by_s = math.inf

    def set_ended(self) -> None:
        self.close_connection()
        self.state, self.pid = WorkerState.WAITING, 0

    def back_off(self) -> float:
        """Put the next start off; return for how long. The delay doubles from time to time."""
        delay_s = self.backoff_s
        self.restart_s = time.monotonic() + delay_s
        self.backoff_s = min(2 * delay_s, MAX_RESTART_BACKOFF_S)
        return delay_s

    def close_connection(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class WorkerPool:
    """Starts `serve` in each worker, with the worker's own slot of the shared state."""

    def __init__(
        self, count: int, serve: Serve, shared: SharedState, end_within_s: float = math.inf
    ) -> None:
        """A worker that was told to end is killed after `end_within_s`: it may be stuck."""
        self.workers = [Worker(slot) for slot in range(count)]
        self._serve = serve
        self._shared = shared
        self._end_within_s = end_within_s

    def start(self, worker: Worker) -> None:
        """Fork. Raises OSError if no process or file descriptor is left."""
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        serve = functools.partial(self._serve_in, worker, ours, theirs)
        try:
            pid = fork(functools.partial(run_logged, serve))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        worker.set_started(pid, ours)

    def _serve_in(self, worker: Worker, ours: socket.socket, theirs: socket.socket) -> int:
        """Serve in the new process; return its exit code."""
        self.close_connections()
        ours.close()
        self._shared.attach(worker.slot)
        return self._serve(ParentChannel(theirs, worker.is_spare))

    def start_or_back_off(self, worker: Worker) -> None:
        try:
            self.start(worker)
        except OSError as error:
            worker.back_off()
            logger.error("worker %d can't start: %s", worker.slot, error.strerror)

    def start_due(self) -> None:
        """Start the workers whose back-off is over."""
        for worker in self.workers:
            if not worker.is_running and time.monotonic() >= worker.restart_s:
                self.start_or_back_off(worker)

    def timeout_s(self) -> float | None:
        """How long until a worker is due to start, or to have ended; None if none is."""
        due_s = min(
            (each.end_by_s if each.is_running else each.restart_s for each in self.workers),
            default=math.inf,
        )
        return None if due_s == math.inf else max(0.0, due_s - time.monotonic())

    @property
    def spare(self) -> Worker | None:
        spares = (each for each in self.workers if each.is_spare)
        return next((each for each in spares if each.state is not WorkerState.RETIRING), None)

    def add(self, is_spare: bool = False) -> Worker | None:
        """Add a worker in a free slot; None while there is none."""
        taken = {worker.slot for worker in self.workers}
        free = [slot for slot in range(self._shared.parent_slot) if slot not in taken]
        if not free:
            return None
        worker = Worker(free[0], is_spare=is_spare)
        self.workers.append(worker)
        if is_spare:
            self._shared.set_spare(worker.slot)
        return worker

    def promote_spare(self) -> Worker | None:
        """Let the spare accept connections, if it is running; return it."""
        spare = self.spare
        if spare is None or spare.connection is None:
            return None
        try:
            spare.connection.send(PROMOTE)
        except OSError:  # it has just died
            return None
        spare.is_spare = False
        self._shared.set_spare(NO_SLOT)
        return spare

    def retire_spare(self) -> None:
        """End the spare, which was started before a reload."""
        spare = self.spare
        if spare is None:
            return
        self._shared.set_spare(NO_SLOT)
        if spare.is_running:
            self.retire(spare)
        else:
            self.remove(spare)

    def remove(self, worker: Worker) -> None:
        self.workers.remove(worker)

    def retire(self, worker: Worker) -> None:
        """End a worker whose successor serves."""
        worker.state = WorkerState.RETIRING
        send_signal(worker.pid, RETIRE_SIGNAL)
        self.expect_end(worker)

    def end(self, number: int) -> None:
        """Send all workers a signal that ends them."""
        for worker in self.workers:
            if worker.is_running:
                send_signal(worker.pid, number)
                self.expect_end(worker)

    def expect_end(self, worker: Worker) -> None:
        """Have a worker killed if it takes too long to end."""
        worker.end_by_s = min(worker.end_by_s, time.monotonic() + self._end_within_s)

    def kill_overdue(self) -> None:
        """Kill the workers that should have ended: stopped, or stuck in the kernel."""
        for worker in self.workers:
            if worker.is_running and time.monotonic() >= worker.end_by_s:
                logger.error("worker %d does not end: it is killed", worker.slot)
                worker.end_by_s = math.inf
                send_signal(worker.pid, signal.SIGKILL)

    def close_connections(self) -> None:
        for worker in self.workers:
            worker.close_connection()

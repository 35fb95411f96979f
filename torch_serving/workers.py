"""Processes that serve, and the one that watches them.

The parent loads what is preloaded, forks, and then only waits: workers that die are started again,
more slowly each time if they die young. A worker whose parent dies ends too.
"""

import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from torch_serving.shared import Shared

logger = logging.getLogger(__name__)

WRONG_START = 2  # a worker's exit code: the server can't start as it was asked to
YOUNG_S = 5.0
FIRST_DELAY_S, MAX_DELAY_S = 0.1, 10.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Lifeline:
    """A worker's end of its connection to the parent: tells when the worker serves, and tells the
    worker when the parent is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def tell_ready(self) -> None:
        self.connection.send(b"!")

    def fileno(self) -> int:
        """Becomes readable when the parent is gone."""
        return self.connection.fileno()


Serve = Callable[[Lifeline], int]


@dataclass
class Worker:
    index: int
    pid: int = 0
    connection: socket.socket | None = None
    ready: bool = False
    started_s: float = 0.0
    delay_s: float = FIRST_DELAY_S
    restart_s: float = 0.0  # when, if it is not running


class Supervisor:
    """Runs `serve` in `count` processes until a signal says stop.

    The first signal lets them finish what they accepted, the second ends them at once. `on_ready`
    is called once, when all of them serve; `on_stop` before they are told to stop.
    """

    def __init__(
        self,
        count: int,
        serve: Serve,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None] = lambda: None,
        shared: Shared | None = None,
    ) -> None:
        self._serve = serve
        self._on_ready: Callable[[], None] | None = on_ready
        self._on_stop = on_stop
        self._shared = shared or Shared(count)
        self._workers = [Worker(index) for index in range(count)]
        self._stop_signals = 0
        self._exit_code = 0

    def run(self) -> int:
        """Return the exit code: 0 after a stop, 2 if a worker could not start as it was asked to,
        128 and the signal's number after a second one."""
        waking, woken = socket.socketpair()
        for end in (waking, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for worker in self._workers:
            self._start(worker)
        while self._is_needed():
            self._wait(waking)
            self._reap()
            if self._stop_signals == 0:
                self._restart()
        return self._exit_code

    def _is_needed(self) -> bool:
        return any(worker.pid for worker in self._workers) or self._stop_signals == 0

    def _wait(self, waking: socket.socket) -> None:
        """Until a signal comes, a worker is ready, or one is due to start again."""
        due_s = [worker.restart_s for worker in self._workers if not worker.pid]
        timeout_s = max(0.0, min(due_s) - time.monotonic()) if due_s else None
        starting = {
            worker.connection: worker
            for worker in self._workers
            if worker.connection is not None and not worker.ready
        }
        readable, _, _ = select.select([waking, *starting], [], [], timeout_s)
        for end in readable:
            if end is waking:
                waking.recv(4096)
            elif end.recv(1):
                starting[end].ready = True
            else:  # it died; the signal that says so is on its way
                self._close(starting[end])
        if self._on_ready and all(worker.ready for worker in self._workers):
            self._on_ready()
            self._on_ready = None

    def _start(self, worker: Worker) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        # a signal that comes now waits until the new process has handlers of its own
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        pid = os.fork()
        if pid == 0:
            for other in self._workers:
                self._close(other)
            ours.close()
            self._shared.enter(worker.index)
            run_worker(self._serve, theirs)
        theirs.close()
        worker.pid, worker.connection, worker.ready = pid, ours, False
        worker.started_s = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _reap(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._take_note(worker, os.waitstatus_to_exitcode(status))

    def _take_note(self, worker: Worker, code: int) -> None:
        """A worker has ended."""
        was_ready = worker.ready
        worker.pid, worker.ready = 0, False
        self._close(worker)
        if self._stop_signals:
            return
        if code == WRONG_START and not was_ready:  # it has said why; another try would not help
            self._exit_code = code
            self._stop_signals = 1
            self._forward(signal.SIGTERM)
            return
        lived_s = time.monotonic() - worker.started_s
        worker.delay_s = FIRST_DELAY_S if lived_s > YOUNG_S else worker.delay_s
        worker.restart_s = time.monotonic() + worker.delay_s
        running = self._shared.board.suspects(worker.index)
        logger.error(
            "worker %d died (%s) after %.0f s, running %s; it starts again in %.1f s",
            worker.index, cause_of(code), lived_s, ", ".join(running) or "nothing", worker.delay_s,
        )  # fmt: skip
        if code < 0:
            for name, sentence_s in self._shared.board.blame(running):
                logger.error("%s is in quarantine for %.0f s", name, sentence_s)
        worker.delay_s = min(2 * worker.delay_s, MAX_DELAY_S)

    def _restart(self) -> None:
        for worker in self._workers:
            if not worker.pid and time.monotonic() >= worker.restart_s:
                self._start(worker)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_signals += 1
        if self._stop_signals == 1:
            self._on_stop()
            self._forward(signal.SIGTERM)
        else:
            self._exit_code = 128 + number
            self._forward(signal.SIGKILL)

    def _forward(self, number: int) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    @staticmethod
    def _close(worker: Worker) -> None:
        if worker.connection is not None:
            worker.connection.close()
            worker.connection = None


def run_worker(serve: Serve, connection: socket.socket) -> None:
    """What a new process does, and nothing after it."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # a terminal sends it to all processes; the parent passes on what it means
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        code = serve(Lifeline(connection))
    except BaseException:
        logger.exception("the worker ends")
    finally:
        sys.stdout.flush()
        logging.shutdown()
        # a lane may be inside a run that never ends, and torch must not be torn down under it
        os._exit(code)


def cause_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"

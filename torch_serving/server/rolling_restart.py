"""A reload: everything is loaded anew, and then all workers are replaced one by one.

Everything is loaded in a trial process first: a crash there costs nothing. A worker ends once its
successor is ready; so no request is lost, and memory for one worker more is enough.
"""

import logging
import os
import signal
from collections.abc import Callable

from torch_serving.server.process import end_with_parent, exit_text, fork, send_signal
from torch_serving.server.signals import Signals, Stopped
from torch_serving.server.worker_pool import Worker, WorkerPool, WorkerState

logger = logging.getLogger(__name__)

LIMIT_S = 300  # for all that is loaded in the trial; then its process is ended


class RollingRestart:
    """Calls `reload` in a trial process, then in this one, then replaces the workers of the pool.

    If `reload` raises, all stays as it was. `close_inherited` is called in the trial process.
    """

    def __init__(
        self,
        pool: WorkerPool,
        signals: Signals,
        reload: Callable[[], None],
        close_inherited: Callable[[], None],
        count: Callable[[str], None] = lambda result: None,
    ) -> None:
        """`count` gets the result of each reload: `done` or `refused`."""
        self._pool = pool
        self._signals = signals
        self._reload = reload
        self._close_inherited = close_inherited
        self._count = count
        self._trial_pid = 0  # 0: no reload is being tried
        self._is_reload = True  # or the workers alone are replaced
        self._to_replace: list[Worker] = []
        self._predecessor: Worker | None = None  # of the worker that is replaced now
        self._successor: Worker | None = None  # until it is ready

    def advance(self) -> None:
        """Take the next step, if it is time to."""
        if self._predecessor is not None:
            return  # one at a time
        if self._signals.reload_requested and not self._to_replace and not self._trial_pid:
            self._signals.reload_requested = False
            self._is_reload = True
            logger.info("SIGHUP: reloading")
            self._start_trial()
        if self._to_replace and (successor := self._pool.add()):
            self._predecessor = self._to_replace.pop(0)
            self._successor = successor
            self._pool.start_or_back_off(successor)

    @property
    def is_replacing(self) -> bool:
        return self._predecessor is not None or bool(self._to_replace)

    @property
    def is_busy(self) -> bool:
        return self._trial_pid != 0 or self.is_replacing

    def substitute(self, worker: Worker, successor: Worker) -> None:
        """Replace the successor of a worker that failed instead of the worker."""
        self._to_replace = [successor if each is worker else each for each in self._to_replace]
        if self._predecessor is worker:
            self._predecessor = successor

    def on_ready(self, worker: Worker) -> None:
        """A worker is ready: if it is the successor, its predecessor may end."""
        if worker is not self._successor or self._predecessor is None:
            return
        self._successor = None
        if self._predecessor.is_running:
            self._pool.retire(self._predecessor)
        else:
            self._remove_predecessor(self._predecessor)

    def on_exit(self, worker: Worker, state: WorkerState, code: int) -> bool:
        """A worker has ended in this state; return whether it is not to be started again."""
        if state is WorkerState.RETIRING and worker is self._predecessor:
            self._remove_predecessor(worker)
            return True
        if state is WorkerState.RETIRING:
            self._pool.remove(worker)  # it was the spare
            return True
        if worker is self._successor:
            self._pool.remove(worker)
            self._successor = self._predecessor = None
            self._to_replace = []
            self._refuse(f"a new worker ended ({exit_text(code)})")
            return True
        return False

    def _remove_predecessor(self, worker: Worker) -> None:
        self._pool.remove(worker)
        self._predecessor = None
        if self._to_replace:
            return
        if self._is_reload:
            self._count("done")
        logger.info("reloaded" if self._is_reload else "all workers are replaced")

    # The trial.

    def _start_trial(self) -> None:
        parent = os.getpid()

        def run() -> int:
            end_with_parent(parent)
            self._close_inherited()
            logging.disable(logging.INFO)  # this process does what another one will do again
            signal.alarm(LIMIT_S)
            try:
                self._reload()
            except Exception as error:
                logger.error("%s", error)
                return 1
            return 0

        try:
            self._trial_pid = fork(run)
        except OSError as error:
            self._refuse(f"no process can be started: {error.strerror}")

    def reap(self) -> None:
        """Go on when the trial has ended."""
        if not self._trial_pid:
            return
        pid, status = os.waitpid(self._trial_pid, os.WNOHANG)
        if pid:
            self._trial_pid = 0
            if not self._signals.stops:
                self.on_trial_exit(os.waitstatus_to_exitcode(status))

    def on_trial_exit(self, code: int) -> None:
        if code:
            self._refuse(f"what is to be loaded can't be loaded ({exit_text(code)})")
            return
        try:
            with self._signals.interruptible():
                self._reload()
        except Stopped:
            return
        except Exception as error:
            self._refuse(str(error))
            return
        self._replace_all(is_reload=True)

    def replace_workers(self) -> bool:
        """Replace all workers by new ones, with the files and keys of before.

        Returns whether it does: a reload that is under way replaces them as well.
        """
        if self.is_busy:
            return False
        self._replace_all(is_reload=False)
        return True

    def _replace_all(self, is_reload: bool) -> None:
        self._is_reload = is_reload
        self._pool.retire_spare()
        leaving = (WorkerState.FAILED, WorkerState.RETIRING)
        self._to_replace = [each for each in self._pool.workers if each.state not in leaving]

    def _refuse(self, reason: str) -> None:
        logger.error("not %s: %s", "reloaded" if self._is_reload else "replaced", reason)
        if self._is_reload:
            self._count("refused")

    def cancel(self) -> None:
        """End the trial, as the server stops."""
        if self._trial_pid:
            send_signal(self._trial_pid, signal.SIGKILL)

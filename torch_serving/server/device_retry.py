"""Devices that workers go on without are tried again, and workers replaced once one answers.

Each try has a process of its own: where CUDA failed once, it fails until the process ends. So a
worker never gets its device back; its successor does.
"""

import logging
import math
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable

from torch_serving.server.process import end_with_parent, fork, send_signal
from torch_serving.server.rolling_restart import RollingRestart

logger = logging.getLogger(__name__)

FIRST_DELAY_S, MAX_DELAY_S = 5.0, 60.0  # before a try; the delay doubles from one to the next
LIMIT_S = 60  # of a try; a driver may never answer

CanOpen = Callable[[str], bool]  # takes the name of a device


class DeviceRetry:
    """Calls `can_open` for each name that `left_out` returns, in a process of its own."""

    def __init__(
        self,
        can_open: CanOpen,
        left_out: Callable[[], Iterable[str]],
        restart: RollingRestart,
        close_inherited: Callable[[], None],
    ) -> None:
        """`close_inherited` closes what that process must not keep open."""
        self._can_open = can_open
        self._left_out = left_out
        self._restart = restart
        self._close_inherited = close_inherited
        self._pid = 0  # 0: no try is under way
        self._is_cancelled = False
        self._delay_s = FIRST_DELAY_S
        self._due_s = math.inf  # no try is planned
        self._lacked_s = 0.0  # when a device was last left out

    def timeout_s(self) -> float | None:
        """How long until `advance` may have something to do; None: what ends before tells it."""
        if self._pid or self._is_cancelled or self._restart.is_busy:
            return None
        if self._due_s == math.inf:
            return MAX_DELAY_S  # nobody tells of a device that fails at a request
        return max(0.0, self._due_s - time.monotonic())

    def advance(self) -> None:
        """Plan the next try, or start it if it is time to."""
        if self._pid or self._restart.is_busy:
            return
        names, now_s = sorted(self._left_out()), time.monotonic()
        if not names:
            self._due_s = math.inf
            if now_s - self._lacked_s >= MAX_DELAY_S:  # else a device that comes and goes
                self._delay_s = FIRST_DELAY_S
            return
        self._lacked_s = now_s
        if self._due_s == math.inf:
            self._plan()
        elif now_s >= self._due_s:
            self._due_s = math.inf
            self._start(names)

    def _plan(self) -> None:
        self._due_s = time.monotonic() + self._delay_s
        self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)

    def _start(self, names: list[str]) -> None:
        parent = os.getpid()

        def run() -> int:
            end_with_parent(parent)
            self._close_inherited()
            signal.alarm(LIMIT_S)
            warnings.simplefilter("ignore")  # torch's: the log has the reason already
            return 0 if any(self._can_open(name) for name in names) else 1

        try:
            self._pid = fork(run)
        except OSError as error:
            logger.error("no process to try devices again: %s", error.strerror)
            self._plan()

    def reap(self) -> None:
        """Have workers replaced if a device answers again."""
        if not self._pid:
            return
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            self._pid = 0
            answers = os.waitstatus_to_exitcode(status) == 0
            if answers and not self._is_cancelled and self._restart.replace_workers():
                logger.warning("a device answers again: all workers are being replaced")

    def cancel(self) -> None:
        """End the try, as the server stops; none follows."""
        self._is_cancelled = True
        if self._pid:
            send_signal(self._pid, signal.SIGKILL)

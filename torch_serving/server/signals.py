"""Signals to the parent: SIGTERM and SIGINT stop the server, SIGHUP reloads it.

Handlers only count; the loop of the supervisor does the work, woken through a socket.
"""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from torch_serving.server.process import STOP_SIGNALS


class Stopped(BaseException):
    """A stop signal arrived while the parent loads what no worker will serve any more."""


class Signals:
    """The signals that the parent has received so far."""

    def __init__(self) -> None:
        self.stops = 0  # the first one lets workers finish, the second ends them
        self.exit_code = 0
        self.stop_signal = 0  # the latest one
        self.reload_requested = False
        self._is_interruptible = False
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()

    def install(self, wakeup: socket.socket) -> None:
        """Install the handlers; a byte is written to this socket at each signal."""
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self.on_hangup)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the loop

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it, a stop signal raises Stopped."""
        self._is_interruptible = True
        try:
            yield
        finally:
            self._is_interruptible = False

    def request_stop(self, exit_code: int) -> None:
        """Stop as after a first signal, with this exit code."""
        self.stops = max(1, self.stops)
        self.exit_code = exit_code

    def on_hangup(self, number: int, frame: FrameType | None) -> None:
        if self._has_terminal and not os.isatty(sys.stdin.fileno()):
            self._on_stop(number, frame)  # the terminal was closed: nobody waits for the server
        self.reload_requested = True

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1
        self.stop_signal = number
        if self.stops > 1:
            self.exit_code = 128 + number
        if self._is_interruptible:
            raise Stopped

"""Standard output and error that nothing waits for: what they don't take in time is dropped.

A pipe may be full because its reader stands still, a disk may hang. A non-blocking descriptor would
not help: O_NONBLOCK belongs to the open file, which other processes share.
"""

import _thread
import atexit
import contextlib
import io
import logging
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO, cast

from torch_serving.telemetry.log_lines import JsonLines

logger = logging.getLogger(__name__)

MAX_PENDING = 1 << 20  # characters that wait to be written
PIECE = 4096  # bytes; PIPE_BUF: what is longer mixes with the lines of other processes
MAX_LINE = 1 << 16  # characters; a line without an end is written in pieces of this size
END_S = 1.0  # for what is left when the process ends


class Output(io.TextIOBase):
    """Writes whole lines in a thread that lives for as long as there are any.

    In between there is no thread, since the parent forks. A fork leaves what waits to the parent.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._is_broken = False  # and that was logged
        self._lost = 0  # lines, since that was logged
        self._uncounted = 0  # lines that were dropped
        self._count: Callable[[int], None] | None = None
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.changed = threading.Condition()  # a signal's handler may print while this one does
        self._pending: deque[str] = deque()
        self._size = 0
        self._begun = ""  # a line
        self._is_writing = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str, /) -> int:
        """Take text; its lines are written or dropped as soon as they are whole."""
        with self.changed:
            whole, end, rest = text.rpartition("\n")
            if end:
                self._add_locked(f"{self._begun}{whole}\n")
                self._begun = rest
            else:
                self._begun += text
            if len(self._begun) > MAX_LINE:
                self._add_locked(self._begun)
                self._begun = ""
        return len(text)

    def flush(self) -> None:
        """Do nothing: nobody is to wait. `drain` waits."""

    def count_dropped(self, count: Callable[[int], None]) -> None:
        """Call `count` with the number of lines that are dropped, those until now included."""
        with self.changed:
            self._count = count
            self._drop_locked(0)

    def drain(self, limit_s: float = END_S) -> None:
        """Wait until all is written, but not for longer than this."""
        with self.changed:
            if self._begun:
                self._add_locked(self._begun)
                self._begun = ""
            self.changed.wait_for(lambda: not self._is_writing, limit_s)

    def _add_locked(self, lines: str) -> None:
        if self._size + len(lines) > MAX_PENDING:
            self._drop_locked(lines.count("\n"))
            return
        self._pending.append(lines)
        self._size += len(lines)
        if self._is_writing:
            return
        try:
            _thread.start_new_thread(self._write_pending, ())  # Thread.start() would wait for it
            self._is_writing = True
        except RuntimeError:  # no thread is left; the next line tries again
            self._size -= len(self._pending.pop())
            self._drop_locked(lines.count("\n"))

    def _write_pending(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while lines := self._next_lines():
            for piece in pieces_of(lines.encode("utf-8", "backslashreplace")):
                self._write_piece(piece)
            with self.changed:
                self._size -= len(lines)

    def _next_lines(self) -> str:
        """Return what waits; if nothing does, the thread ends."""
        lost = 0
        with self.changed:
            if not self._pending and not self._is_broken:
                lost, self._lost = self._lost, 0
        if lost:
            logger.warning("%d lines of %s were dropped", lost, self._name)
        with self.changed:
            lines = "".join(self._pending)
            self._pending.clear()
            if not lines:
                self._is_writing = False
                self.changed.notify_all()
            return lines

    def _write_piece(self, piece: bytes) -> None:
        try:
            while piece:
                piece = piece[write_some(self._descriptor, piece) :]
        except OSError as error:
            with self.changed:
                self._drop_locked(max(1, piece.count(b"\n")))
            if not self._is_broken:
                self._is_broken = True
                logger.error("%s is not written: %s", self._name, error.strerror)
            return
        self._is_broken = False

    def _drop_locked(self, lines: int) -> None:
        self._lost += lines
        self._uncounted += lines
        if self._count is not None and self._uncounted:
            self._count(self._uncounted)
            self._uncounted = 0


class JsonOutput(io.TextIOBase):
    """What is printed, as log records in JSON; `output` takes lines that are JSON already."""

    def __init__(self, output: Output, lines: JsonLines) -> None:
        self.output = output
        self._lines = lines
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.output.fileno()

    def write(self, text: str, /) -> int:
        with self.output.changed:
            *lines, self._begun = (self._begun + text).split("\n")
            if len(self._begun) > MAX_LINE:
                lines.append(self._begun)
                self._begun = ""
            self.output.write("".join(self._lines(line) for line in lines if line))
        return len(text)

    def drain(self, limit_s: float = END_S) -> None:
        if self._begun:
            self.write("\n")
        self.output.drain(limit_s)


def write_some(descriptor: int, data: bytes) -> int:
    """Return how much was written; another process may have made the open file non-blocking."""
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.poll()
        return 0


def pieces_of(data: bytes) -> list[bytes]:
    """Cut after lines, so that each piece is written at once; a longer line is a piece."""
    pieces, start = [], 0
    while start < len(data):
        end = len(data)
        if end - start > PIECE:
            end = data.rfind(b"\n", start, start + PIECE) + 1 or data.find(b"\n", start) + 1 or end
        pieces.append(data[start:end])
        start = end
    return pieces


def open_missing() -> None:
    """Open standard descriptors that are closed: the next file or socket would take their place."""
    for descriptor in (0, 1, 2):
        if not is_open(descriptor):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def redirect_output(as_json: bool) -> None:
    """Let everything that this process and its children print go through `Output`."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        output: Output | JsonOutput = Output(number, name)
        if as_json:
            level = logging.INFO if number == 1 else logging.ERROR
            output = JsonOutput(cast(Output, output), JsonLines(level, name))
        setattr(sys, name, output)
    atexit.register(drain_output)


def lines_of(stream: TextIO) -> TextIO:
    """Return what takes lines as they are, beneath a stream that may make JSON of them."""
    return cast(TextIO, stream.output) if isinstance(stream, JsonOutput) else stream


def count_dropped_lines(count: Callable[[int], None]) -> None:
    """Call `count` with the numbers of lines that standard output and error drop."""
    for stream in (lines_of(sys.stdout), lines_of(sys.stderr)):
        if isinstance(stream, Output):
            stream.count_dropped(count)


def drain_output() -> None:
    """Wait for what standard output and error have not written yet, at the end of a process."""
    end_s = time.monotonic() + END_S
    for stream in (sys.stderr, sys.stdout):
        if isinstance(stream, Output | JsonOutput):
            stream.drain(max(0.0, end_s - time.monotonic()))
        elif stream is not None:
            with contextlib.suppress(OSError):  # a full disk must not keep a process from its end
                stream.flush()

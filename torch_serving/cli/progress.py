"""What a command that takes long is doing, and for how long."""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

EACH_S = 0.5
CLEAR = "\r\x1b[K"


class Progress:
    """Shows the step of a command: on a terminal in one line that is redrawn, else a line each."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._redraws = self._stream.isatty()
        self._started_s = time.monotonic()
        self._step = ""
        self._find_step: Callable[[], str] = lambda: ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._redraws:
            self._write(CLEAR)

    @property
    def redraws(self) -> bool:
        """Whether a step may change at any time; else each new one is a line that stays."""
        return self._redraws

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def step(self, text: str) -> None:
        """Say what begins now."""
        self.follow(lambda: text)
        self._tell(text)

    def follow(self, find_step: Callable[[], str]) -> None:
        """Ask for the step from now on. It is called by another thread."""
        self._find_step = find_step

    def _show(self) -> None:
        while not self._ended.wait(EACH_S):
            step = self._find_step()
            self._tell(step)
            if self._redraws:
                self._write(f"{CLEAR}{self._line(step)}")

    def _tell(self, step: str) -> None:
        """Write a step that is new, where lines stay."""
        if step != self._step:
            self._step = step
            if step and not self._redraws:
                self._write(f"{self._line(step)}\n")

    def _line(self, step: str) -> str:
        """The line of a step; where it is redrawn, as much as fits: a second line would stay."""
        line = f"torch-serving: {self.elapsed_s:3.0f} s  {step}"
        return line[: shutil.get_terminal_size().columns - 1] if self._redraws else line

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

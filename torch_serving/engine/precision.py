"""TF32: whether a card multiplies float32 numbers with 10 bits of their 23.

Torch has one setting for the whole process, while models and cards may differ.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch


def set_tf32(on: bool) -> None:
    """Set it in torch, without a look at any card.

    The older of two interfaces: those who read the newer one see it too, but not the reverse.
    """
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


class Tf32Switch:
    """Lets runs with one setting overlap, and those with the other one wait. For any thread.

    The lock is held for a moment only. Enter for one run at a time: who waits for another thread
    between `enter` and `leave` may wait for ever.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._is_on: bool | None = None  # not set yet
        self._running = 0
        self._waiting = 0  # for the other setting; nobody passes them by

    def enter(self, on: bool) -> None:
        """Begin a run with this setting."""
        with self._condition:
            if self._running and (on is not self._is_on or self._waiting):
                self._waiting += 1
                while self._running and (on is not self._is_on or self._waiting > 1):
                    self._condition.wait()
                self._waiting -= 1
            if on is not self._is_on:
                set_tf32(on)
                self._is_on = on
            self._running += 1

    def forget(self) -> None:
        """Set it anew for the next run: somebody else may have changed it."""
        with self._condition:
            self._is_on = None

    def leave(self) -> None:
        """End a run."""
        with self._condition:
            self._running -= 1
            if self._waiting and not self._running:
                self._condition.notify_all()


SWITCH = Tf32Switch()  # one, as torch's setting is


def with_tf32(run: Callable[..., Any], on: bool, switch: Tf32Switch = SWITCH) -> Callable[..., Any]:
    """Return a function that runs with this setting, whatever runs beside it."""

    def run_with_setting(*inputs: Any) -> Any:
        switch.enter(on)
        try:
            return run(*inputs)
        finally:
            switch.leave()

    return run_with_setting

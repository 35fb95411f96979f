"""A timer of the kernel: event loops round to milliseconds, and many answers take less."""

import asyncio
import ctypes
import os
import time
from array import array
from collections.abc import Callable

NANOSECONDS = 1_000_000_000
SHORTEST_NS = 50_000
ABSOLUTE = 1  # TFD_TIMER_ABSTIME


class TimeSpec(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]


class TimerSpec(ctypes.Structure):
    _fields_ = [("interval", TimeSpec), ("first", TimeSpec)]


class Ticker:
    """Calls back at `start_s` and every `interval_s` after that, and notes how late it was.

    Times are of `time.perf_counter`, which is the kernel's monotonic clock.
    """

    def __init__(self, start_s: float, interval_s: float, call: Callable[[float], None]) -> None:
        self.lags_s = array("d")  # of each call
        self._call = call
        self._start_ns = int(start_s * NANOSECONDS)
        self._interval_ns = max(int(interval_s * NANOSECONDS), SHORTEST_NS)
        self._ticks = 0
        self._loop = asyncio.get_running_loop()
        self._timer = armed_timer(self._start_ns, self._interval_ns)
        self._loop.add_reader(self._timer, self._fired)

    def close(self) -> None:
        self._loop.remove_reader(self._timer)
        os.close(self._timer)

    def _fired(self) -> None:
        try:
            passed = int.from_bytes(os.read(self._timer, 8), "little")
        except BlockingIOError:
            return
        now_s = time.perf_counter()
        due_ns = self._start_ns + self._ticks * self._interval_ns  # of the first that has passed
        self._ticks += passed
        self.lags_s.append(max(0.0, now_s - due_ns / NANOSECONDS))
        self._call(now_s)


def armed_timer(start_ns: int, interval_ns: int) -> int:
    """Return the file descriptor of a timer that is readable each time it has fired."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    times = TimerSpec(spec_of(interval_ns), spec_of(max(start_ns, 1)))
    if timer < 0 or libc.timerfd_settime(timer, ABSOLUTE, ctypes.byref(times), None):
        raise OSError(ctypes.get_errno(), "no timer")
    return timer


def spec_of(ns: int) -> TimeSpec:
    return TimeSpec(*divmod(ns, NANOSECONDS))

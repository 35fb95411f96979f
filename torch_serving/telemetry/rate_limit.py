"""A bound for log records that clients can cause."""

import logging
import threading
import time
from collections.abc import Callable


class RateLimit(logging.Filter):
    """Lets so many records a second pass; the next one says how many were left out before it."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()  # of all that follows
        self._second = 0
        self._passed = 0
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        with self._lock:
            if (second := int(self._clock())) != self._second:
                self._second, self._passed = second, 0
            if self._passed == self._per_second:
                self._left_out += 1
                return False
            self._passed += 1
            left_out, self._left_out = self._left_out, 0
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} records like this were left out)"
            record.args = ()
        return True

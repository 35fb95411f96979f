"""Busy polling: an event loop does not sleep at once after a request, as the next may be coming.

To put a core to sleep and wake it takes as long as to serve a small model. It takes longest in a
virtual machine, where others run on the core meanwhile and leave its caches cold
(docs/performance.md has the figures). Only a client that sends its next request at once is waited
for: one that takes its time costs nothing.
"""

import asyncio
import time

AT_ONCE_S = 0.0002  # from a response to the next request, the time to wake included
POLL_S = 0.00005


class BusyPoll:
    """Polls one event loop, in the loop's own thread."""

    def __init__(self) -> None:
        self._responded_s = 0.0
        self._until_s = 0.0
        self._is_on = False

    def on_response(self, started_s: float, loop: asyncio.AbstractEventLoop) -> None:
        """Call it after the response to a request that started at `started_s` and was alone."""
        now_s = time.perf_counter()
        came_at_once = started_s - self._responded_s < AT_ONCE_S
        self._responded_s = now_s
        if came_at_once:
            self._until_s = now_s + POLL_S
            if not self._is_on:
                self._is_on = True
                loop.call_soon(self._poll, loop)

    def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep a callback scheduled: a loop that has one looks at its sockets without waiting."""
        self._is_on = time.perf_counter() < self._until_s
        if self._is_on:
            loop.call_soon(self._poll, loop)

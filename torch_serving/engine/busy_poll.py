"""An event loop that does not sleep at once after a request, for the next one may be on its way.

To put a core to sleep and wake it takes as long as to serve a small model, most of all in a
virtual machine, where others run on it meanwhile and leave its caches cold (docs/performance.md has
the figures). Only a client that asks again at once is waited for: one that takes its time costs
nothing.
"""

import asyncio
import time

AT_ONCE_S = 0.0002  # from a response to the next request, the time to wake included
POLL_S = 0.00005


class BusyPoll:
    """For one loop and its thread."""

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
        """A loop with something to call looks for what came, but does not wait for it."""
        self._is_on = time.perf_counter() < self._until_s
        if self._is_on:
            loop.call_soon(self._poll, loop)

"""An event loop that does not sleep at once after a request, for the next one may be on its way.

To put a core to sleep and wake it takes as long as to answer for a small model, most of all in a
virtual machine, where others run on it meanwhile and leave its caches cold (docs/performance.md has
the figures). Only a client that asks again at once is waited for: one that takes its time costs
nothing.
"""

import asyncio
import time

AT_ONCE_S = 0.0002  # from an answer to the next request, the time to wake included
POLL_S = 0.00005


class BusyPoll:
    """For one loop and its thread."""

    def __init__(self) -> None:
        self._answered_s = 0.0
        self._until_s = 0.0
        self._is_on = False

    def answered(self, begun_s: float, loop: asyncio.AbstractEventLoop) -> None:
        """Call it when a request has been answered that was begun at `begun_s` and was alone."""
        now_s = time.perf_counter()
        came_at_once = begun_s - self._answered_s < AT_ONCE_S
        self._answered_s = now_s
        if came_at_once:
            self._until_s = now_s + POLL_S
            if not self._is_on:
                self._is_on = True
                loop.call_soon(self._go_on, loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop with something to call looks for what came, but does not wait for it."""
        self._is_on = time.perf_counter() < self._until_s
        if self._is_on:
            loop.call_soon(self._go_on, loop)

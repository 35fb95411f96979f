"""When the response to a request is due, whatever it waits for until then."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from torch_serving.errors import DeadlineExceeded

T = TypeVar("T")

SOON_S = 0.001


class Deadline:
    """The end of a time that begins now."""

    def __init__(self, timeout_s: float) -> None:
        self._end_s = time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        """How long until then. Never 0, which would mean that there is no deadline."""
        return max(SOON_S, self._end_s - time.monotonic())

    async def wait_for(self, awaitable: Awaitable[T], what: str) -> T:
        """Wait for `what`. Raises DeadlineExceeded if it takes longer."""
        try:
            return await asyncio.wait_for(awaitable, self.remaining_s())
        except asyncio.TimeoutError:
            raise DeadlineExceeded(f"{what} when the deadline has come") from None

"""When the response to a request is due, whatever it waits for until then."""

import time

SOON_S = 0.001


class Deadline:
    """The end of a time that begins now."""

    def __init__(self, timeout_s: float) -> None:
        self._end_s = time.monotonic() + timeout_s

    def remaining_s(self) -> float:
        """How long until then. Never 0, which would mean that there is no deadline."""
        return max(SOON_S, self._end_s - time.monotonic())

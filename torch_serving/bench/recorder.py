"""What comes back while a load runs, noted as cheaply as can be."""

from array import array
from collections import Counter
from collections.abc import Iterable
from math import inf
from typing import NamedTuple


class Failure(NamedTuple):
    """Why a request was not answered with 200; without a response, the status is 0."""

    status: int
    reason: str


class Recorder:
    """Counts answers that come within the window, and latencies of requests due within it."""

    def __init__(self) -> None:
        self.begin_s = inf
        self.end_s = inf
        self.answers = 0
        self.latencies_s = array("d")
        self.failures: Counter[Failure] = Counter()
        self.unanswered = 0  # requests that were given up at the end

    def succeeded(self, due_s: float, now_s: float) -> None:
        if self.begin_s <= due_s < self.end_s:
            self.latencies_s.append(now_s - due_s)
        if self.begin_s <= now_s < self.end_s:
            self.answers += 1

    def failed(self, status: int, reason: str, now_s: float) -> None:
        if self.begin_s <= now_s:
            self.failures[Failure(status, reason)] += 1

    def gave_up(self, due_times_s: Iterable[float]) -> None:
        """Note requests that nobody waits for any longer."""
        self.unanswered += sum(self.begin_s <= due_s < self.end_s for due_s in due_times_s)

"""The quarantine: models that crash workers are refused for a while.

The parent records which models ran when a worker died, and publishes until when a model is in
quarantine. Workers read that before they run a model.
"""

import time
from collections import defaultdict
from typing import NamedTuple

from torch_serving.errors import Quarantined
from torch_serving.server.ipc.shared_document import SharedDocument

PUBLISHED_BYTES = 1 << 20  # some hundreds of the longest names
CRASHES = 2  # within the window
WINDOW_S = 60.0
MAX_DOUBLINGS = 10
MAX_TRACKED = 1000


class Crash(NamedTuple):
    """When a worker crashed, and which models ran."""

    at_s: float
    running: frozenset[str]


class Quarantine:
    """`record_crash` is for the parent, `check` and `remaining_s` for workers.

    Bounded: at most 1,000 names are tracked.
    """

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s  # of the first quarantine of a model; 0: there is none
        self._published = SharedDocument(PUBLISHED_BYTES)  # name -> end of its quarantine
        self._until_s: dict[str, float] = {}  # the same, as this process last wrote or read it
        self._crashes: dict[str, list[Crash]] = defaultdict(list)  # within the window
        self._quarantines: dict[str, int] = {}  # how often a model was in quarantine

    def record_crash(self, running: list[str]) -> list[tuple[str, float]]:
        """Record which models ran in a worker that crashed.

        Models that ran beside each other at each crash can't be told apart, and stay.
        Return those that are in quarantine from now on, each with the duration in seconds, which
        doubles from one quarantine of a model to the next.
        """
        now_s = time.monotonic()
        crash = Crash(now_s, frozenset(running))
        quarantined = []
        for name in running:
            recent = [each for each in self._crashes[name] if each.at_s > now_s - WINDOW_S]
            self._crashes[name] = [*recent, crash]
            if self._duration_s and is_guilty(self._crashes[name]):
                quarantined.append((name, self._start(name, now_s)))
        self._drop_old(now_s)
        if quarantined:
            self._published.write(self._until_s)
        return quarantined

    def _start(self, name: str, now_s: float) -> float:
        """Begin a quarantine; return its duration."""
        before = self._quarantines.get(name, 0)
        duration_s: float = self._duration_s * 2 ** min(before, MAX_DOUBLINGS)
        self._quarantines[name] = before + 1
        self._until_s[name] = now_s + duration_s
        self._crashes[name] = []
        return duration_s

    def _drop_old(self, now_s: float) -> None:
        if len(self._crashes) > MAX_TRACKED:
            self._crashes.clear()
            self._quarantines.clear()
        self._until_s = {name: end_s for name, end_s in self._until_s.items() if end_s > now_s}

    def check(self, name: str) -> None:
        """Raise Quarantined for a model that may not run now."""
        remaining_s = self.remaining_s(name)
        if remaining_s > 0:
            raise Quarantined(name, remaining_s)

    def remaining_s(self, name: str) -> float:
        """How long a model stays in quarantine; 0 if it is in none."""
        if self._published.has_changed():
            self._until_s = self._published.read() or {}
        until_s = self._until_s.get(name)
        return 0.0 if until_s is None else max(0.0, until_s - time.monotonic())


def is_guilty(crashes: list[Crash]) -> bool:
    """Whether a model ran at several crashes, and no other one at all of them."""
    common = frozenset.intersection(*(crash.running for crash in crashes))
    return len(crashes) >= CRASHES and len(common) == 1

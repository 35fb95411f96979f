"""What processes tell each other through shared memory: which models run, and which may not.

Each thread of a worker that runs models writes the name of the one that is next into a slot of its
own. When a worker dies, the parent reads what it was at; a model that was there each time goes into
quarantine, which the workers read. The parent makes the memory, before it forks.
"""

import itertools
import mmap
import threading
import time
from collections import defaultdict

from torch_serving.errors import Quarantined
from torch_serving.server.ipc.shared_document import SharedDocument

SLOT_BYTES = 512  # of a name; a longer one is cut
SLOTS = 64  # of a worker: lanes, loop and loaders
NEWS_BYTES = 1 << 16
WINDOW_S = 60.0
DEATHS = 2  # within the window
MAX_SUSPECTS = 1000


class Board:
    """`mark` and `check` are for workers, the rest is for the parent."""

    def __init__(self, workers: int, quarantine_s: float) -> None:
        self._memory = mmap.mmap(-1, max(1, workers) * SLOTS * SLOT_BYTES)
        self._news = SharedDocument(NEWS_BYTES)  # until when which models are in quarantine
        self._quarantine_s = quarantine_s
        self._deaths: dict[str, list[float]] = defaultdict(list)
        self._sentences: dict[str, int] = {}
        self._until_s: dict[str, float] = {}
        self._start = 0
        self._slots = itertools.count()
        self._thread = threading.local()

    # In a worker.

    def enter(self, worker: int) -> None:
        """Say which worker this process is; its threads have no slots yet, whatever the parent's
        had."""
        self._start = worker * SLOTS * SLOT_BYTES
        self._slots = itertools.count()
        self._thread = threading.local()

    def mark(self, name: bytes) -> None:
        """Say what this thread runs from now on, as `board_name` gives it; b"" for nothing."""
        try:
            at = self._thread.at
        except AttributeError:
            at = self._thread.at = self._start + next(self._slots) % SLOTS * SLOT_BYTES
        self._memory[at : at + SLOT_BYTES] = name.ljust(SLOT_BYTES, b"\0")

    def check(self, name: str) -> None:
        """Raise Quarantined for a model that may not run now."""
        left_s = self.left_s(name)
        if left_s > 0:
            raise Quarantined(name, left_s)

    def left_s(self, name: str) -> float:
        """For how long a model is in quarantine."""
        if self._news.has_changed():
            self._until_s = self._news.read() or {}
        until_s = self._until_s.get(name)
        return 0.0 if until_s is None else max(0.0, until_s - time.monotonic())

    # In the parent.

    def suspects(self, worker: int) -> list[str]:
        """What a worker was running; its slots are empty then."""
        start = worker * SLOTS * SLOT_BYTES
        end = start + SLOTS * SLOT_BYTES
        slots = [self._memory[at : at + SLOT_BYTES] for at in range(start, end, SLOT_BYTES)]
        self._memory[start:end] = bytes(SLOTS * SLOT_BYTES)
        return sorted({slot.rstrip(b"\0").decode("utf-8", "ignore") for slot in slots} - {""})

    def blame(self, names: list[str]) -> list[tuple[str, float]]:
        """Take note of models that ran when a worker died; return those that are in quarantine
        from now on, and for how many seconds: twice as long each time."""
        now_s = time.monotonic()
        convicted = []
        for name in names:
            recent = [each for each in self._deaths[name] if each > now_s - WINDOW_S]
            self._deaths[name] = [*recent, now_s]
            if self._quarantine_s and len(self._deaths[name]) >= DEATHS:
                sentence_s = self._quarantine_s * 2 ** min(self._sentences.get(name, 0), 10)
                self._sentences[name] = self._sentences.get(name, 0) + 1
                self._until_s[name] = now_s + sentence_s
                self._deaths[name] = []
                convicted.append((name, sentence_s))
        self._forget(now_s)
        if convicted:
            self._news.write(self._until_s)
        return convicted

    def _forget(self, now_s: float) -> None:
        """Nothing grows with the number of models that were ever blamed."""
        if len(self._deaths) > MAX_SUSPECTS:
            self._deaths.clear()
            self._sentences.clear()
        self._until_s = {
            name: until_s for name, until_s in self._until_s.items() if until_s > now_s
        }


def board_name(name: str) -> bytes:
    """A model's name as it stands on the board."""
    return name.encode("utf-8", "replace")[:SLOT_BYTES]

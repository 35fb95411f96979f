"""What may have been meant by a name that no model has, at a bounded cost."""

import posixpath
import threading
import time
from collections.abc import Callable

from torch_serving import suggestions

MAX_CHARACTERS = 200  # of a name that is compared
MAX_COMPARED = 5000  # names
SHARE = 0.05  # of a core's time, in the long run
BURST_S = 1.0  # of time that may be spent at once
MAX_AGE_S = 1.0  # of a list of names, at least


class NearNames:
    """Compares a name with those of the models. Safe to use from any thread.

    Listing and comparing take a small share of the time, however often clients ask.
    """

    def __init__(self, list_names: Callable[[], list[str]]) -> None:
        self._list_names = list_names
        self._lock = threading.Lock()  # guards the names
        self._names: list[str] = []
        self._listed_until_s = 0.0
        self._spent_s = 0.0
        self._spent_at_s = time.monotonic()  # when `_spent_s` was last right

    def only(self) -> str | None:
        """The name of the only model; None where there are none or several."""
        names = self.names()
        return names[0] if len(names) == 1 else None

    def names(self) -> list[str]:
        """All names, listed a moment ago at the latest."""
        with self._lock:
            started_s = time.monotonic()
            if started_s >= self._listed_until_s:
                self._names = self._list_names()
                ended_s = time.monotonic()
                self._listed_until_s = ended_s + max(MAX_AGE_S, (ended_s - started_s) / SHARE)
            return self._names

    def is_within_budget(self) -> bool:
        """Whether the time that hints took lately leaves some for another `hint`."""
        now_s = time.monotonic()
        self._spent_s = max(0.0, self._spent_s - SHARE * (now_s - self._spent_at_s))
        self._spent_at_s = now_s
        return self._spent_s < BURST_S

    def hint(self, name: str) -> str:
        """The end of a message that says which model may be meant, or nothing."""
        if len(name) > MAX_CHARACTERS or not name.isprintable():
            return ""
        started_s = time.perf_counter()
        found = nearest(name, self.names())
        self._spent_s += time.perf_counter() - started_s
        return f"; did you mean `{found}`?" if found else ""


def nearest(name: str, names: list[str]) -> str:
    """The name that is most like another one; folders, suffixes and case matter least."""
    return suggestions.nearest(name, names[:MAX_COMPARED], 0.7, stems)


def stems(name: str) -> tuple[str, ...]:
    """The path of a name without its suffix, and the last part of that."""
    stem = posixpath.splitext(name.lower())[0]
    return stem, posixpath.basename(stem)

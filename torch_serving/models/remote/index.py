"""The list of a remote root: a file that all processes read, and one of them renews."""

import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from torch_serving.models.remote.copies import Copies
from torch_serving.models.remote.disk import disk_errors, locked, write_whole
from torch_serving.models.remote.names import is_model, usable
from torch_serving.models.remote.source import Entry, RemoteError, Source

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 100  # that are logged of one listing
SEEN_AGAIN_S = 2.0  # an unknown name has the root listed anew, if that was not done just now
LISTED_WITHIN_S = 3.0  # who asks for an unknown name waits so long for the new list
AWAY_S = 10.0  # a root that could not be listed is not asked for unknown names for so long

Entries = dict[str, Entry]


class RemoteIndex:
    """What a root had when it was last listed. Safe to use from any thread and process."""

    def __init__(
        self, source: Source, copies: Copies, shown: str, is_first_report: Callable[[str], bool]
    ) -> None:
        """`shown` is the root's URL for people."""
        self._source = source
        self._copies = copies
        self._file = copies.folder / "index.json"
        self._listed = copies.folder / "listed"  # its time is that of the last listing
        self._shown = shown
        self._is_first_report = is_first_report
        self._lock = threading.Lock()  # guards what follows
        self._entries: Entries = {}
        self._stat: tuple[int, int] = (0, 0)
        self._ask_again_s = 0.0

    def entries(self) -> Entries:
        """The files of the root by their names, as any process listed them last."""
        with suppress(OSError):
            status = self._file.stat()
            stat = (status.st_mtime_ns, status.st_ino)
            with self._lock:
                if stat != self._stat:
                    self._entries = entries_in(self._file.read_bytes())
                    self._stat = stat
        return self._entries

    def age_s(self) -> float:
        """How long ago the root was listed."""
        return time.time() - self._listed_s()

    def _listed_s(self) -> float:
        with suppress(OSError):
            return self._listed.stat().st_mtime
        return float("-inf")

    def refresh(self, older_than_s: float = 0.0) -> bool:
        """List the root anew, unless somebody did or does; return whether it was done here.

        Raises RemoteError; then the list stays as it was.
        """
        with disk_errors():
            self._copies.make_folders()
            with locked(self._file.with_suffix(".lock"), wait=older_than_s == 0) as is_free:
                if not is_free or self.age_s() < older_than_s:
                    return False
                self._list()
        return True

    def _list(self) -> None:
        started_s = time.monotonic()
        found, problems = usable(self._source.entries(), self._copies.ignores_case())
        for problem in problems[:MAX_PROBLEMS]:
            if self._is_first_report(problem):
                logger.warning("%s", problem)
        listed = json.dumps(list(found.values())).encode()
        if not (self._file.exists() and self._file.read_bytes() == listed):
            write_whole(self._file, listed)  # only then: all processes read it again
        write_whole(self._listed, b"")
        models = sum(map(is_model, found))
        took_s = time.monotonic() - started_s
        logger.debug("%s has %s models (%.2f s)", self._shown, f"{models:,}", took_s)

    def find(self, name: str) -> bool:
        """Whether the root has a file; a name that it lacked may have come just now."""
        if name in self.entries():
            return True
        if time.monotonic() >= self._ask_again_s:
            asking = threading.Thread(target=self._list_again, name="remote list", daemon=True)
            asking.start()
            asking.join(LISTED_WITHIN_S)
        return name in self.entries()

    def _list_again(self) -> None:
        try:
            self.refresh(SEEN_AGAIN_S)
        except RemoteError:
            self._ask_again_s = time.monotonic() + AWAY_S

    def is_first_report(self, fact: str) -> bool:
        """Whether no other process has logged a fact since the root was last listed."""
        return self._is_first_report(f"{fact} ({self._listed_s()})")


def entries_in(data: bytes) -> Entries:
    """Read a list that a process wrote; nothing of one that has another form."""
    try:
        return {each[0]: Entry(*each) for each in json.loads(data)}
    except (ValueError, TypeError, LookupError):
        return {}

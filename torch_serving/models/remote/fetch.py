"""One file of a remote root -> a copy that is whole and checked."""

import logging
import random
import time
from contextlib import closing, suppress
from pathlib import Path

from torch_serving.models.integrity import sha256_of
from torch_serving.models.remote.copies import Copies
from torch_serving.models.remote.disk import disk_errors
from torch_serving.models.remote.source import (
    Changed,
    Entry,
    Opened,
    Refused,
    Source,
    Unreachable,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 5  # in a row that bring nothing
MAX_CHANGES = 20  # of a file that changes all the time
FIRST_PAUSE_S, LAST_PAUSE_S = 0.2, 10.0
TOLD_BYTES = 100 << 20  # of a file whose fetching the log tells at its start


class Fetcher:
    """Fetches files of one source. Safe to use from any thread and process."""

    def __init__(self, source: Source, copies: Copies) -> None:
        self._source = source
        self._copies = copies

    def fetch(self, entry: Entry) -> bool:
        """Bring a version of a file, or a newer one; return whether it was not here.

        Others wait for the one that fetches. Raises RemoteError.
        """
        with disk_errors(), self._copies.fetching(entry.name):
            started_s = time.monotonic()
            found = self._download(entry)
            if found is None:
                return False
            part = self._copies.part(found)
            size = part.stat().st_size
            self._copies.put(found, part)
        seconds = time.monotonic() - started_s
        logger.info("fetched %s: %s bytes in %.2f s", entry.name, f"{size:,}", seconds)
        return True

    def _download(self, wanted: Entry) -> Entry | None:
        """Complete the part of a version, and return that; None if it is here already."""
        entry = wanted if wanted.version else None
        failures, changes, before = 0, 0, -1
        while changes < MAX_CHANGES:
            try:
                entry = entry or self._source.newest(wanted)
                if self._copies.version(entry.name) == entry.version:
                    return None
                before = size_of(self._copies.part(entry))
                self._write(entry)
                return entry
            except Changed:  # noqa: PERF203
                entry, changes = None, changes + 1
            except Unreachable as error:
                came = entry is not None and size_of(self._copies.part(entry)) > before
                failures = 1 if came else failures + 1
                if failures >= ATTEMPTS:
                    raise
                pause(failures, error.retry_after_s)
        raise Unreachable("it changes all the time")

    def _write(self, entry: Entry) -> None:
        """Add what is missing to a part, and check it. Raises Changed without a part."""
        part = self._copies.part(entry)
        try:
            opened = self._source.open(entry, size_of(part))
            with closing(opened):
                self._copies.make_room(entry, opened.size)
                if opened.size >= TOLD_BYTES and not opened.offset:
                    logger.info("fetching %s: %s bytes", entry.name, f"{opened.size:,}")
                append(opened, part)
            if size_of(part) != opened.size:
                raise Unreachable("the connection was cut")
            if entry.sha256 and sha256_of(part) != entry.sha256:
                part.unlink()
                self._tell_wrong(entry)
        except (Changed, OSError):
            part.unlink(missing_ok=True)
            raise

    def _tell_wrong(self, entry: Entry) -> None:
        """Raise for contents that have another checksum than was listed."""
        if self._source.newest(entry).sha256 == entry.sha256:
            raise Refused("its SHA-256 is not the one that the root says")
        raise Changed("it has changed")


def append(opened: Opened, part: Path) -> None:
    with part.open("ab") as file:
        file.truncate(opened.offset)
        for chunk in opened.chunks:
            file.write(chunk)
            file.flush()
            if file.tell() > opened.size:
                raise Unreachable("more came than it has")


def size_of(part: Path) -> int:
    with suppress(OSError):
        return part.stat().st_size
    return 0


def pause(failures: int, asked_s: float) -> None:
    """Wait before another attempt: longer each time, and not as long as others do."""
    longest_s = min(LAST_PAUSE_S, FIRST_PAUSE_S * 2**failures)
    time.sleep(min(LAST_PAUSE_S, max(asked_s, random.uniform(longest_s / 2, longest_s))))

"""One file of a remote root -> a copy that is whole and checked."""

import errno
import logging
import os
import random
import time
from contextlib import suppress
from pathlib import Path

from torch_serving.models.integrity import sha256_of
from torch_serving.models.remote.copies import Copies
from torch_serving.models.remote.source import (
    Changed,
    Entry,
    Opened,
    Refused,
    RemoteError,
    Source,
    Unreachable,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 5  # in a row that bring nothing
MAX_RESTARTS = 20  # in all, and of a file that changes all the time
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
        with self._copies.fetching(entry.name):
            if not entry.version:
                entry = self._source.newest(entry.name)
            if self._copies.version(entry.name) == entry.version:
                return False
            started_s = time.monotonic()
            part, found = self._download(entry)
            if self._copies.version(entry.name) == found.version:
                part.unlink()
                return False
            size = part.stat().st_size
            self._copies.put(found, part)
        seconds = time.monotonic() - started_s
        logger.info("fetched %s: %s bytes in %.2f s", entry.name, f"{size:,}", seconds)
        return True

    def _download(self, entry: Entry) -> tuple[Path, Entry]:
        failures = 0
        for _ in range(MAX_RESTARTS):
            part = self._copies.part(entry)
            before = size_of(part)
            try:
                self._write(entry, part)
                check(entry, part)
                return part, entry
            except Changed:
                failures += 1
                part.unlink(missing_ok=True)
                entry = self._source.newest(entry.name)
            except Unreachable as error:
                failures = 1 if size_of(part) > before else failures + 1
                if failures >= ATTEMPTS:
                    raise
                pause(failures, error.retry_after_s)
            except OSError as error:
                part.unlink(missing_ok=True)
                raise disk_error(error) from None
        raise Unreachable("it changes all the time, or comes in too small pieces")

    def _write(self, entry: Entry, part: Path) -> None:
        """Add what is missing to a part."""
        opened = self._source.open(entry, size_of(part))
        self._copies.make_room(entry, opened.size)
        if opened.size >= TOLD_BYTES and not opened.offset:
            logger.info("fetching %s: %s bytes", entry.name, f"{opened.size:,}")
        append(opened, part)
        if size_of(part) != opened.size:
            raise Unreachable("the connection was cut")


def append(opened: Opened, part: Path) -> None:
    with part.open("ab") as file:
        file.truncate(opened.offset)
        for chunk in opened.chunks:
            file.write(chunk)
            file.flush()
            if file.tell() > opened.size:
                raise Unreachable("more came than it has")


def check(entry: Entry, part: Path) -> None:
    """Raise Refused for a file with another checksum than the root says."""
    if entry.sha256 and sha256_of(part) != entry.sha256:
        part.unlink()
        raise Refused("its SHA-256 is not the one that the root says")


def size_of(part: Path) -> int:
    with suppress(OSError):
        return part.stat().st_size
    return 0


def pause(failures: int, asked_s: float) -> None:
    """Wait before another attempt: longer each time, and not as long as others do."""
    longest_s = min(LAST_PAUSE_S, FIRST_PAUSE_S * 2**failures)
    time.sleep(min(LAST_PAUSE_S, max(asked_s, random.uniform(longest_s / 2, longest_s))))


def disk_error(error: OSError) -> RemoteError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unreachable("the disk of --remote-cache is full")
    return Unreachable(f"--remote-cache: {os.strerror(error.errno or 0)}")

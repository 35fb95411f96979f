"""What a remote root offers, and what can go wrong with it.

RemoteError
├── Unreachable    tried again: no answer, too slow, cut, 429, 5xx
├── Refused        not tried again: access denied, no such bucket, wrong checksum
├── Missing        there is no such file any more
└── Changed        another version than the one that was asked for

Messages hold no address, no header and no text of the other side, where secrets might be.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol


class RemoteError(Exception):
    """`message` ends a sentence that begins with what could not be done."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unreachable(RemoteError):
    """`retry_after_s` is how long the other side asks to wait."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(RemoteError):
    pass


class Missing(RemoteError):
    pass


class Changed(RemoteError):
    pass


class Entry(NamedTuple):
    """A file of a remote root: its name below the root, and a name for this version of it.

    `size` is in bytes, None where only the answer to a request tells; `sha256` is empty if unknown.
    """

    name: str
    version: str
    size: int | None = None
    sha256: str = ""


class Opened(NamedTuple):
    """The contents of a file from `offset` on, and the size of the whole file."""

    offset: int
    size: int
    chunks: Iterable[bytes]
    close: Callable[[], None] = lambda: None


class Source(Protocol):
    """Where a root's files come from. Safe to use from any thread; all raise RemoteError."""

    def entries(self) -> Iterator[Entry]:
        """List all files, in any order, with whatever names they have."""

    def newest(self, entry: Entry) -> Entry:
        """The version of a file that is there now, in place of the one that was listed."""

    def open(self, entry: Entry, offset: int) -> Opened:
        """Open a version of a file; the offset of what is opened may be 0 instead."""


def listed_anew(source: Source, entry: Entry) -> Entry:
    """What a source lists now in place of a file. Raises Missing."""
    for each in source.entries():
        if each.name == entry.name:
            return each
    raise Missing("it is not there any more")

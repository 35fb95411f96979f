"""Files that may be written to where they lie, while they are read.

What was checked must be what is loaded. Every write changes a file's stat, once the clock of the
file system has gone on since the write before; so a file whose stat is the same after it was read
was not written to meanwhile. Where a file is seen to change, its contents are copied and checked.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch_serving.errors import InvalidServable, NotReady, ServerError
from torch_serving.models.files import FileStat, file_stat

TICK_S = 0.02  # writes that are closer may leave a file the same times: Linux counts in 1 to 10 ms
WHOLE_SECONDS_TICK_S = 2.0  # on file systems that keep no fractions of seconds
LOOK_AGAIN_S = 0.1  # after a look at a file that was being written, at the earliest
QUIET_S = 1.0  # a file that is not whole is judged once nobody has written to it for so long
PATIENCE_S = 10.0  # how long a request waits for that, if no older version is in memory
MAX_COPY_BYTES = 1 << 30
COPIED_BYTES = 8 << 20  # at a time

Loaded = TypeVar("Loaded")


class FileChanging(NotReady):
    """A file was written to while it was read."""

    retry_after_s = 1

    def __init__(self, detail: str = "its file is being written") -> None:
        super().__init__(detail)


def age_s(file: FileStat) -> float:
    """The time since the last write to a file; below 0 where its host's clock is ahead."""
    return time.time() - file[4] / 1e9


@contextmanager
def stable(descriptor: int, as_copy: bool = False) -> Iterator[int]:
    """Yield a descriptor of the same contents; raise FileChanging if they have changed meanwhile.

    With `as_copy`, it is that of a copy in memory, if the file is not too large: then what happens
    to the file later does not matter.
    """
    if as_copy and can_be_copied(descriptor):
        copy = os.memfd_create("model", os.MFD_CLOEXEC)
        try:
            with unchanged(descriptor):
                write_copy(descriptor, copy)
            yield copy
        finally:
            os.close(copy)
    else:
        with unchanged(descriptor):
            yield descriptor


def can_be_copied(descriptor: int) -> bool:
    return hasattr(os, "memfd_create") and os.fstat(descriptor).st_size <= MAX_COPY_BYTES


def write_copy(descriptor: int, copy: int) -> None:
    offset = 0
    while offset <= MAX_COPY_BYTES:
        copied_bytes = os.sendfile(copy, descriptor, offset, COPIED_BYTES)
        if copied_bytes == 0:
            break
        offset += copied_bytes


@contextmanager
def unchanged(descriptor: int) -> Iterator[None]:
    """Raise FileChanging if a file was written to meanwhile, also in place of what that led to."""
    before = stat_before_reading(descriptor)
    try:
        yield
    except ServerError:
        raise
    except Exception as error:
        if file_stat(os.fstat(descriptor)) != before:
            raise FileChanging from error
        raise
    if file_stat(os.fstat(descriptor)) != before:
        raise FileChanging


def stat_before_reading(descriptor: int) -> FileStat:
    """Return a stat that every later write changes; raise FileChanging if one comes now."""
    file = file_stat(os.fstat(descriptor))
    tick_s = TICK_S if file[4] % 1_000_000_000 else WHOLE_SECONDS_TICK_S
    left_s = tick_s - age_s(file)
    if left_s > 0:
        time.sleep(min(left_s, tick_s))
        if file_stat(os.fstat(descriptor)) != file:
            raise FileChanging
    return file


def look_again_s(started_s: float) -> float:
    """When to try again a load that began then: trying takes half of the time at most."""
    now_s = time.monotonic()
    return now_s + max(LOOK_AGAIN_S, now_s - started_s)


def load_when_whole(
    load: Callable[[FileStat, bool], Loaded],
    stat: Callable[[], FileStat],
    served: FileStat | None,
    as_copy: bool,
) -> Loaded:
    """Call `load` with a file's stat and whether to load a copy, again while the file is written.

    Where a version of the file is `served`, it is called once. Raises what `load` raises, and
    FileChanging if the file is still being written.
    """
    end_s = time.monotonic() + PATIENCE_S
    while True:
        file = stat()
        try:
            return load(file, as_copy)
        except FileChanging:
            if served is not None or time.monotonic() >= end_s:
                raise
        except InvalidServable as error:
            if served is not None and is_being_written(file, served):
                raise FileChanging from error
            if served is not None or not is_written_again(file, stat):
                raise
            if time.monotonic() >= end_s:
                raise FileChanging from error
        as_copy = True


def is_being_written(file: FileStat, served: FileStat) -> bool:
    """Whether a bad file may just not be whole yet.

    One that was moved into the place of the `served` one is judged at once.
    """
    return file != served and file[1] == served[1] and 0 <= age_s(file) < QUIET_S


def is_written_again(file: FileStat, stat: Callable[[], FileStat]) -> bool:
    """Wait until a bad file has been quiet for QUIET_S; return whether it changed before."""
    while stat() == file:
        if not 0 <= age_s(file) < QUIET_S:
            return False
        time.sleep(TICK_S)
    return True

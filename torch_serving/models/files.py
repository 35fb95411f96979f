"""Opening regular files below the model root: reading a pipe or a device might never end."""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

MAX_READ_BYTES = 64 << 20  # of a file that is read as a whole

# No two versions of a file have all of it equal. A plain tuple, for one is made for each request.
FileStat = tuple[int, int, int, int, int]
SidecarStats = tuple[FileStat | None, ...]  # of the files beside a model; None: there is none


class Sources(NamedTuple):
    """The stats of all files that decide whether a model can be loaded, and as what."""

    file: FileStat
    sidecars: SidecarStats
    manifest: FileStat | None


def file_stat(status: os.stat_result) -> FileStat:
    """Return what tells one version of a file from another; the third is its size in bytes."""
    return (
        status.st_mtime_ns,
        status.st_ino,
        status.st_size,
        status.st_dev,
        status.st_ctime_ns,  # tells, where a tool writes a file in place and keeps its time
    )


class OpenFile(NamedTuple):
    """An open file, and a path to it that holds although the file is replaced or removed."""

    descriptor: int
    path: Path
    version: str = ""  # a name for its contents, once it was verified


def open_file(descriptor: int, path: Path) -> OpenFile:
    """Only Linux has paths to open files; elsewhere it is `path`, where the file was found."""
    on_linux = sys.platform == "linux"
    return OpenFile(descriptor, Path(f"/proc/self/fd/{descriptor}") if on_linux else path)


def open_regular(path: Path) -> int:
    """Return a descriptor. Raises OSError, also for what is no regular file."""
    # a FIFO that nobody writes to would hold up the opening
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return descriptor


def read_regular(path: Path) -> bytes:
    """Read a small file. Raises OSError, also for one of more than MAX_READ_BYTES."""
    with open(open_regular(path), "rb") as file:
        data = file.read(MAX_READ_BYTES + 1)
    if len(data) > MAX_READ_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_READ_BYTES >> 20} MiB")
    return data

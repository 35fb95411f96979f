"""Opening files that somebody put beside the models: only regular ones, whose reading ends."""

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 64 << 20  # of what is read as a whole


def open_regular(path: Path) -> int:
    """Return a descriptor. Raises OSError, also for what is no regular file."""
    # a FIFO that nobody writes to would hold up the opening
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return descriptor


def read_regular(path: Path) -> bytes:
    """Read a small file. Raises OSError, also for one of more than MOST_BYTES."""
    with open(open_regular(path), "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES >> 20} MiB")
    return data

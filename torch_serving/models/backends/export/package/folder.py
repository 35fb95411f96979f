"""Folders for the files of a package that need names: kernels for cards, what torch loads."""

import fcntl
import os
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PREFIX = "torch-serving-package-"
COPY_BYTES = 1 << 20


class PackageFolder:
    """A folder of this process, which only its owner may read.

    It is locked for as long as this process, or one that it forked, lives: another one removes
    those that a process left behind when it was killed.
    """

    def __init__(self, archive: zipfile.ZipFile, names: Sequence[str], root: str) -> None:
        """Unpack entries of an archive, which lie below `root` there. Raises OSError."""
        remove_abandoned()
        self.path = tempfile.mkdtemp(prefix=PREFIX)
        lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self._remove = weakref.finalize(self, remove, self.path, lock, os.getpid())
        for name in names:
            target = Path(self.path, name.removeprefix(root))
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as content, target.open("wb") as copy:
                shutil.copyfileobj(content, copy, COPY_BYTES)


def remove(path: str, lock: int, pid: int) -> None:
    """Remove a folder, unless this process only inherited it."""
    os.close(lock)
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process was faster, or it is of another user
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)

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
FOLDER_FLAGS = (
    os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
)  # and nothing that blocks


class PackageFolder:
    """A folder of this process, which only its owner may read.

    It is locked for as long as this process, or one that it forked, lives: another one removes
    those that a process left behind when it was killed.
    """

    def __init__(self, archive: zipfile.ZipFile, names: Sequence[str], root: str) -> None:
        """Unpack entries of an archive, which lie below `root` there. Raises OSError."""
        remove_abandoned()
        self.path, lock = make_locked()
        self._remove = weakref.finalize(self, remove, self.path, lock, os.getpid())
        for name in names:
            target = Path(self.path, name.removeprefix(root))
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as content, target.open("wb") as copy:
                shutil.copyfileobj(content, copy, COPY_BYTES)


def make_locked() -> tuple[str, int]:
    """Make a folder and lock it: until then, another process may take it for abandoned."""
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX)
        with suppress(FileNotFoundError):
            lock = os.open(path, FOLDER_FLAGS)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.path.exists(path):
                return path, lock
            os.close(lock)


def remove(path: str, lock: int, pid: int) -> None:
    """Remove a folder, unless this process only inherited it."""
    os.close(lock)
    if os.getpid() == pid:
        shutil.rmtree(path, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the folders of processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process was faster, or it is of another user
            lock = os.open(path, FOLDER_FLAGS)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)

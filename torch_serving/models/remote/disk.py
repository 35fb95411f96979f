"""Files that processes share: written as a whole, and guarded by locks of the kernel."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch_serving.models.remote.source import Unreachable


def read_json(path: Path, form: Mapping[str, type]) -> dict[str, Any] | None:
    """Read a file of ours; None for one that has another form. Raises OSError."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return None
    is_right = isinstance(found, dict) and all(
        isinstance(found.get(key), kind) for key, kind in form.items()
    )
    return found if is_right else None


def write_json(path: Path, document: Any) -> None:
    """Write a file as a whole: readers see the one before, or this one."""
    write_whole(path, json.dumps(document).encode())


def write_whole(path: Path, data: bytes) -> None:
    beside_it = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside_it.write_bytes(data)
        os.replace(beside_it, path)
    except OSError:
        beside_it.unlink(missing_ok=True)
        raise


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise RemoteErrors in place of those of the disk with the copies."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unreachable("the disk of --remote-cache is full") from None
        raise Unreachable(f"--remote-cache: {os.strerror(error.errno or 0)}") from None


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file; without `wait`, yield whether it was to be had."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        yield take_lock(descriptor, wait)
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of a file."""
    with locked(path, wait=False) as is_free:
        return not is_free

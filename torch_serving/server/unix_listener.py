"""The listening Unix domain socket, and the file that it has as long as the server lives."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from torch_serving.errors import StartupError

MODE = 0o660  # the proxy is of the server's group
STARTING_S, LOOK_S = 1.0, 0.02  # a server listens that long after its file is there, at the latest


@contextmanager
def unix_listener(path: Path) -> Iterator[socket.socket]:
    """Listen on a path, and remove its file at the end. Raises StartupError.

    It listens before anybody accepts: else another server that starts would take it for dead.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        made = listen(listener, path)
        try:
            yield listener
        finally:
            with suppress(OSError):
                if identity(path) == made:  # a new server may have put its own there
                    path.unlink()


def listen(listener: socket.socket, path: Path) -> tuple[int, int, int]:
    """Make the file and listen; return the file's identity. Raises StartupError."""
    try:
        with suppress(FileNotFoundError):  # its server has just removed it
            remove_stale(path)
        listener.bind(str(path))
        path.chmod(MODE)
        listener.listen()
        return identity(path)
    except OSError as error:
        reason = error.strerror or error
        raise StartupError(f"can't listen on {path}: {reason}; --uds takes another path") from None


def remove_stale(path: Path) -> None:
    """Remove the socket of a server that is gone. Raises StartupError for anything else."""
    if not path.is_socket():
        if not os.path.lexists(path):
            return
        raise StartupError(f"can't listen on {path}: a file that is no socket is in its place")
    last_s = time.monotonic() + STARTING_S
    while nobody_listens(path):
        is_old = time.time() - path.stat().st_mtime > STARTING_S
        if is_old or time.monotonic() > last_s:
            path.unlink()
            return
        time.sleep(LOOK_S)
    raise StartupError(
        f"can't listen on {path}: another server listens there; --uds takes another path"
    )


def nobody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return True
        except BlockingIOError:  # of a full backlog
            return False
    return False


def identity(path: Path) -> tuple[int, int, int]:
    """What tells a file from another one that was made in its place."""
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_mtime_ns

"""Descriptors that another program hands over: its lifeline, and where it waits for the address.

It imports no torch, so that a wrong number is reported at once.
"""

import fcntl
import json
import os
import stat
from contextlib import suppress

from torch_serving.config import Config
from torch_serving.errors import StartupError

STANDARD_ERROR = 2


def check_descriptors(config: Config) -> None:
    """Raise StartupError for a descriptor that can't be what its flag says."""
    lifeline, ready = config.lifeline_fd, config.ready_fd
    if lifeline is not None:
        check_descriptor("--lifeline-fd", lifeline, os.O_RDONLY)
    if ready is not None:
        check_descriptor("--ready-fd", ready, os.O_WRONLY)
        if ready <= STANDARD_ERROR:
            raise StartupError(f"--ready-fd {ready}: it is closed then; hand over another one")
        if ready == lifeline:
            raise StartupError(f"--ready-fd {ready}: it is that of --lifeline-fd; hand over two")


class Lifeline:
    """A pipe or socket whose other end another program holds: where that is closed, it is gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def has_ended(self) -> bool:
        """Read what has come, and say whether that was the end; only where there is something."""
        try:
            return not os.read(self._descriptor, 4096)
        except BlockingIOError:
            return False
        except OSError:  # a socket that was reset
            return True


class ReadyLine:
    """A pipe or socket that gets one line of JSON, once the server is ready."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def write(self, url: str, address: object) -> None:
        """Write where the server listens, and close; nobody needs to read it any more."""
        host, port = address[:2] if isinstance(address, tuple) else (None, None)
        facts = {"url": url, "host": host, "port": port, "pid": os.getpid()}
        with suppress(OSError):
            self._file.write(json.dumps(facts) + "\n")
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()


def check_descriptor(flag: str, descriptor: int, access: int) -> None:
    """Let no program that is started from here inherit a descriptor. Raises StartupError."""
    try:
        mode = os.fstat(descriptor).st_mode
        given = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        raise StartupError(
            f"{flag} {descriptor}: it is not open; whoever starts the server hands it over, as "
            "Python's subprocess does with pass_fds"
        ) from None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise StartupError(f"{flag} {descriptor}: expected a pipe or a socket")
    if given not in (access, os.O_RDWR):
        ends = ("reading", "writing") if access == os.O_RDONLY else ("writing", "reading")
        raise StartupError(f"{flag} {descriptor}: expected the end for {ends[0]}, got {ends[1]}")
    os.set_inheritable(descriptor, False)

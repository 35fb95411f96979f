"""Descriptors that another program hands over: its lifeline, and where it waits for the address.

It imports no torch, so that a wrong number is reported at once.
"""

import json
import os
import stat
from contextlib import suppress

from torch_serving.config import Config
from torch_serving.errors import StartupError


def check_descriptors(config: Config) -> None:
    """Raise StartupError for a descriptor that is not open, or neither pipe nor socket."""
    for flag, descriptor in (
        ("--lifeline-fd", config.lifeline_fd),
        ("--ready-fd", config.ready_fd),
    ):
        if descriptor is not None:
            check_descriptor(flag, descriptor)


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


def check_descriptor(flag: str, descriptor: int) -> None:
    """Let no program that is started from here inherit a descriptor. Raises StartupError."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        raise StartupError(
            f"{flag} {descriptor}: it is not open; whoever starts the server hands it over, as "
            "Python's subprocess does with pass_fds"
        ) from None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise StartupError(f"{flag} {descriptor}: expected a pipe or a socket")
    os.set_inheritable(descriptor, False)

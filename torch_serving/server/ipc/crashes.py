"""Which thread of a worker crashed: what Python's fault handler wrote as the worker died."""

import faulthandler
import os
import re
import tempfile

CRASHED = re.compile(rb"^Current thread 0x([0-9a-f]+)", re.MULTILINE)
MAX_REPORT = 1 << 18
MAX_FRAMES = 12


class Crashes:
    """`attach` is for workers, `thread_of` and `clear` for the parent.

    Made before the workers are forked.
    """

    def __init__(self, workers: int) -> None:
        self._files = [unnamed_file() for _ in range(workers)]

    def attach(self, worker: int) -> None:
        """Report a crash of this process as this worker's; the parent logs it."""
        faulthandler.enable(self._files[worker])

    def thread_of(self, worker: int) -> int | None:
        """The identifier of the thread that crashed, if it is known."""
        found = CRASHED.search(self._read(worker))
        return int(found[1], 16) if found else None

    def frames_of(self, worker: int) -> str:
        """The innermost frames of the thread that crashed; empty if they are not known."""
        report = self._read(worker)
        found = CRASHED.search(report)
        thread = report[found.start() :].partition(b"\n\n")[0] if found else b""
        return b"\n".join(thread.split(b"\n")[:MAX_FRAMES]).decode("utf-8", "replace")

    def _read(self, worker: int) -> bytes:
        return os.pread(self._files[worker], MAX_REPORT, 0)

    def clear(self, worker: int) -> None:
        """Forget the report of a worker that has ended."""
        os.ftruncate(self._files[worker], 0)
        os.lseek(self._files[worker], 0, os.SEEK_SET)

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)


def unnamed_file() -> int:
    """The descriptor of an empty file that is gone when nobody has it open."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor

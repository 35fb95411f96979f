"""Facts that each worker finds out by itself, and the first one to do so reports in the log."""

import fcntl
import hashlib
import mmap
import os
import threading

from torch_serving.server.ipc.crashes import unnamed_file

DIGEST_BYTES = 8
REMEMBERED = 256  # the latest facts


class FirstReports:
    """The facts that some worker has reported. Made before the workers are forked."""

    def __init__(self) -> None:
        self._reported = mmap.mmap(-1, DIGEST_BYTES * REMEMBERED)
        self._next = mmap.mmap(-1, 1)
        self._file = unnamed_file()  # the kernel drops its lock when a worker dies
        self._lock = threading.Lock()  # the lock of a file is the whole process's

    def is_first(self, fact: str) -> bool:
        """Whether no worker has asked about this fact before; if so, the caller reports it."""
        digest = hashlib.blake2b(fact.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest()
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                return self._remember(digest)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _remember(self, digest: bytes) -> bool:
        reported = self._reported[:]
        if any(
            reported[at : at + DIGEST_BYTES] == digest
            for at in range(0, len(reported), DIGEST_BYTES)
        ):
            return False
        at = self._next[0] * DIGEST_BYTES
        self._reported[at : at + DIGEST_BYTES] = digest
        self._next[0] = (self._next[0] + 1) % REMEMBERED
        return True

    def __del__(self) -> None:
        os.close(self._file)

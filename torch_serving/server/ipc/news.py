"""What several workers find out by themselves, and the log says once."""

import fcntl
import hashlib
import mmap
import os
import threading

from torch_serving.server.ipc.crashes import unnamed_file

DIGEST_BYTES = 8
REMEMBERED = 256  # the latest facts


class News:
    """The facts that some worker has told. Made before the workers are forked."""

    def __init__(self) -> None:
        self._told = mmap.mmap(-1, DIGEST_BYTES * REMEMBERED)
        self._next = mmap.mmap(-1, 1)
        self._file = unnamed_file()  # its lock goes with a worker that dies
        self._lock = threading.Lock()  # that one is not for threads

    def is_new(self, fact: str) -> bool:
        """Whether no worker has asked about this fact before: the one that asks is to tell it."""
        digest = hashlib.blake2b(fact.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest()
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                return self._remember(digest)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _remember(self, digest: bytes) -> bool:
        told = self._told[:]
        if any(told[at : at + DIGEST_BYTES] == digest for at in range(0, len(told), DIGEST_BYTES)):
            return False
        at = self._next[0] * DIGEST_BYTES
        self._told[at : at + DIGEST_BYTES] = digest
        self._next[0] = (self._next[0] + 1) % REMEMBERED
        return True

    def __del__(self) -> None:
        os.close(self._file)

"""The scoreboard: which model each thread of each worker runs, in memory that outlives the worker.

The parent makes the memory before it forks. Each thread that runs models writes the name of its
model into a slot of its own. When a worker dies, the parent reads the worker's slots.
"""

import functools
import itertools
import mmap
import struct
import threading

from torch_serving.models.identifiers import MAX_SHARED_BYTES, shared_name, utf8

SLOT_BYTES = MAX_SHARED_BYTES
SLOTS = 64  # of a worker: executor threads, event loop and loaders
WORKER_BYTES = SLOTS * SLOT_BYTES
THREAD = struct.Struct("=Q")  # the identifier of the thread that a slot belongs to
MAX_CONTENTS = 1024  # encoded names that are kept: some MiB at most


class Scoreboard:
    """`attach` and `set_running` are for workers, `running_in` and `clear` for the parent."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, max(1, workers) * WORKER_BYTES)
        self._threads = mmap.mmap(-1, max(1, workers) * SLOTS * THREAD.size)
        self._start = 0
        self._slots = itertools.count()
        self._thread = threading.local()

    def attach(self, worker: int) -> None:
        """Use the slots of this worker. Threads get new ones, whichever they had before a fork."""
        self._start = worker * WORKER_BYTES
        self._slots = itertools.count()
        self._thread = threading.local()

    def set_running(self, name: str) -> None:
        """Write which model this thread runs from now on; an empty name means none."""
        try:
            at = self._thread.at
        except AttributeError:
            at = self._thread.at = self._start + next(self._slots) % SLOTS * SLOT_BYTES
            thread = threading.get_ident()
            THREAD.pack_into(self._threads, at // SLOT_BYTES * THREAD.size, thread)
        self._memory[at : at + SLOT_BYTES] = slot_content(name)

    def running_in(self, worker: int) -> list[str]:
        """The models that a worker runs, or ran when it died."""
        start = worker * WORKER_BYTES
        slots = range(start, start + WORKER_BYTES, SLOT_BYTES)
        contents = {self._memory[at : at + SLOT_BYTES].rstrip(b"\0") for at in slots}
        return sorted(each.decode("utf-8", "ignore") for each in contents if each)

    def run_by(self, worker: int, thread: int | None) -> list[str]:
        """The model that this thread of a worker runs, or ran when it died; [] if none is known."""
        # the latest first: identifiers of threads that ended are given to others
        for slot in reversed(range(worker * SLOTS, (worker + 1) * SLOTS)):
            if THREAD.unpack_from(self._threads, slot * THREAD.size)[0] == thread:
                at = slot * SLOT_BYTES
                name = self._memory[at : at + SLOT_BYTES].rstrip(b"\0").decode("utf-8", "ignore")
                if name:
                    return [name]
        return []

    def clear(self, worker: int) -> None:
        """Empty the slots of a worker that has ended."""
        start = worker * WORKER_BYTES
        self._memory[start : start + WORKER_BYTES] = bytes(WORKER_BYTES)
        threads, size = worker * SLOTS * THREAD.size, SLOTS * THREAD.size
        self._threads[threads : threads + size] = bytes(size)


@functools.lru_cache(MAX_CONTENTS)
def slot_content(name: str) -> bytes:
    return utf8(shared_name(name)).ljust(SLOT_BYTES, b"\0")

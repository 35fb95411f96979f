"""Which models the workers hold, for all of them to read."""

import threading
from typing import Any

from torch_serving.server.ipc.shared_document import SharedDocument

LIMIT_BYTES = 1 << 20  # of one worker's list: thousands of models


class Inventory:
    """Made before the workers are forked; each says which one it is."""

    def __init__(self, workers: int = 1) -> None:
        self._lists = [SharedDocument(LIMIT_BYTES) for _ in range(workers)]
        self._own = SharedDocument(LIMIT_BYTES)  # the parent's, that nobody reads
        self._lock = threading.Lock()

    def enter(self, worker: int) -> None:
        self._own = self._lists[worker]
        self._lock = threading.Lock()  # whatever state the parent's was in

    def leave(self, worker: int) -> None:
        """A worker has ended, and holds nothing any more."""
        self._lists[worker].write([])

    def publish(self, models: list[dict[str, Any]]) -> None:
        """Tell what this worker holds now; not what its methods take, where that is too much."""
        with self._lock:
            if not self._own.write(models):
                self._own.write([{**each, "methods": {}} for each in models])

    def read(self) -> list[list[dict[str, Any]]]:
        """What each worker said last."""
        return [each.read() or [] for each in self._lists]

"""Which models each worker has loaded, for all workers to read."""

import threading
from typing import Any

from torch_serving.server.ipc.shared_document import SharedDocument

LIMIT_BYTES = 1 << 20  # of one worker's list: thousands of models


class LoadedModels:
    """One list for each worker. Made before the workers are forked."""

    def __init__(self, workers: int = 1) -> None:
        self._lists = [SharedDocument(LIMIT_BYTES) for _ in range(workers)]
        self._own = SharedDocument(LIMIT_BYTES)  # of the parent, which serves nothing: unread
        self._lock = threading.Lock()  # guards _own

    def attach(self, worker: int) -> None:
        """Publish as this worker from now on."""
        self._own = self._lists[worker]
        self._lock = threading.Lock()  # the inherited one may be held by a thread of the parent

    def detach(self, worker: int) -> None:
        """Empty the list of a worker that has ended."""
        self._lists[worker].write([])

    def publish(self, models: list[dict[str, Any]]) -> None:
        """Replace this worker's list; without examples or signatures where those would not fit."""
        without_examples = [{**each, "examples": {}} for each in models]
        without_signatures = [{**each, "methods": {}} for each in without_examples]
        with self._lock:
            for document in (models, without_examples, without_signatures):
                if self._own.write(document):
                    return

    def read(self) -> list[list[dict[str, Any]]]:
        """The lists of all workers."""
        return [each.read() or [] for each in self._lists]

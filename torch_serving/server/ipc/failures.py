"""Why workers can't go on, in memory that outlives them."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from torch_serving.models.identifiers import shared_name
from torch_serving.server.ipc.shared_document import SharedDocument

LIMIT_BYTES = 1 << 14
MAX_REASON = 1000  # characters
MAX_GUILTY = 16


class Failure(NamedTuple):
    """What a worker reported: why it can't go on, and the models whose work broke it."""

    reason: str
    guilty: list[str]


class Failures:
    """`attach` and `report` are for workers, `read` and `clear` for the parent.

    Made before the workers are forked.
    """

    def __init__(self, workers: int) -> None:
        self._documents = [SharedDocument(LIMIT_BYTES) for _ in range(workers)]
        self.attach(0)

    def attach(self, worker: int) -> None:
        """Report as this worker from now on."""
        self._own = self._documents[worker]
        self._lock = threading.Lock()  # guards is_reported
        self.is_reported = False  # by this worker

    def report(self, reason: str, guilty: Sequence[str]) -> bool:
        """Report why this worker can't go on; return whether this is the first report.

        What fails after the first one may be innocent.
        """
        with self._lock:
            if self.is_reported:
                return False
            self.is_reported = True
            self._own.write([reason[:MAX_REASON], [*map(shared_name, guilty[:MAX_GUILTY])]])
            return True

    def read(self, worker: int) -> Failure | None:
        """What a worker reported, if it did."""
        document = self._documents[worker].read()
        return Failure(*document) if document else None

    def clear(self, worker: int) -> None:
        """Forget the report of a worker that has ended."""
        self._documents[worker].write(None)

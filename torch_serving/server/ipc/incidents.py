"""How often workers ended, models were quarantined and the server reloaded.

The parent counts, and all processes read.
"""

from torch_serving.engine.events import DEAD_THREAD, DEVICE_ERROR, HUNG_LOAD, HUNG_MODEL
from torch_serving.server.ipc.shared_document import SharedDocument

LIMIT_BYTES = 1 << 12
CAUSES = {  # by what the reason that a worker reports begins with
    DEAD_THREAD: "dead_thread",
    DEVICE_ERROR: "device_error",
    HUNG_LOAD: "hung_load",
    HUNG_MODEL: "hung_model",
}
NAMES = {
    "worker_exits": (
        "crash", "dead_thread", "device_error", "exit", "failure", "hung_load",
        "hung_model", "kill", "reload",
    ),
    "quarantines": ("started",),
    "reloads": ("done", "refused"),
}  # fmt: skip

Counts = dict[str, dict[str, int]]


class Incidents:
    """`count` is for the parent, `read` for all. Made before the workers are forked."""

    def __init__(self) -> None:
        self._document = SharedDocument(LIMIT_BYTES)
        self._counts: Counts = {name: dict.fromkeys(causes, 0) for name, causes in NAMES.items()}
        self._document.write(self._counts)

    def count(self, name: str, cause: str) -> None:
        """Count an incident of NAMES."""
        self._counts[name][cause] += 1
        self._document.write(self._counts)

    def read(self) -> Counts:
        """Return counts by name and cause."""
        counts: Counts = self._document.read()
        return counts


def cause_of(reason: str) -> str:
    """Why a worker ended that reported a reason."""
    return next((cause for text, cause in CAUSES.items() if reason.startswith(text)), "failure")

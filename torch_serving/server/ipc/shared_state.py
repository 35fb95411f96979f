"""What the parent and its workers share; made before the workers are forked."""

import logging
import mmap
import struct
from collections.abc import Callable, Sequence
from typing import Any

from torch_serving.server.ipc.crashes import Crashes
from torch_serving.server.ipc.failures import Failures
from torch_serving.server.ipc.first_reports import FirstReports
from torch_serving.server.ipc.incidents import Incidents
from torch_serving.server.ipc.loaded_models import LoadedModels
from torch_serving.server.ipc.peers import Peers
from torch_serving.server.ipc.quarantine import Quarantine
from torch_serving.server.ipc.scoreboard import Scoreboard
from torch_serving.telemetry._counters import Statistics

# the successor in a rolling restart, a failed worker that drains, and the spare
EXTRA_SLOTS = 3
NO_SLOT = -1
SLOT = struct.Struct("<i")

logger = logging.getLogger(__name__)


class SharedState:
    """One slot for each worker, `EXTRA_SLOTS` for others beside them, one for the parent.

    Without workers, there is only the parent's slot. It is the `WorkerGroup` of a server.
    """

    def __init__(self, workers: int = 0, quarantine_s: float = 0) -> None:
        slots = workers + EXTRA_SLOTS + 1 if workers else 1
        self.parent_slot = slots - 1
        self.scoreboard = Scoreboard(slots)
        self.quarantine = Quarantine(quarantine_s)
        self.failures = Failures(slots)
        self.crashes = Crashes(slots)
        self.is_first_report = FirstReports().is_first
        self.incidents = Incidents()
        self._spare = mmap.mmap(-1, SLOT.size)
        self.set_spare(NO_SLOT)
        self.on_failure: Callable[[], None] = do_nothing  # after the first report
        self.statistics = Statistics(slots)
        self.loaded_models = LoadedModels(slots)
        self.peers = Peers(slots - 1, self.statistics.pid_of)
        self.scoreboard.attach(self.parent_slot)
        self.failures.attach(self.parent_slot)
        self.statistics.attach(self.parent_slot)
        # bound methods as attributes add no frame to a request
        self.set_running = self.scoreboard.set_running
        self.check_quarantine = self.quarantine.check
        self.remaining_quarantine_s = self.quarantine.remaining_s
        self.publish = self.loaded_models.publish
        self.incident_counts = self.incidents.read
        self.listen = self.peers.listen
        self.broadcast = self.peers.broadcast

    def attach(self, slot: int) -> None:
        """Use this slot in a worker that was just forked."""
        self.crashes.attach(slot)
        self.scoreboard.attach(slot)
        self.failures.attach(slot)
        self.statistics.attach(slot)
        self.loaded_models.attach(slot)
        self.peers.attach(slot)

    def detach(self, slot: int) -> None:
        """Empty, in the parent, the slot of a worker that has ended."""
        self.scoreboard.clear(slot)
        self.failures.clear(slot)
        self.crashes.clear(slot)
        self.statistics.detach(slot)
        self.loaded_models.detach(slot)

    def suspects(self, slot: int) -> list[str]:
        """The model whose thread crashed a worker; all that ran in it if that is not known."""
        crashed = self.scoreboard.run_by(slot, self.crashes.thread_of(slot))
        return crashed or self.scoreboard.running_in(slot)

    def set_spare(self, slot: int) -> None:
        """Say, in the parent, which worker is the spare; NO_SLOT for none."""
        SLOT.pack_into(self._spare, 0, slot)

    def spare_slot(self) -> int:
        slot: int = SLOT.unpack_from(self._spare)[0]
        return slot

    def left_out(self) -> set[str]:
        """The devices that a worker goes on without."""
        found = self.statistics.by_device().items()
        return {device for (_, device), each in found if each.up is False}

    def published(self) -> list[list[dict[str, Any]]]:
        """The lists of loaded models of all workers that serve."""
        lists = enumerate(self.loaded_models.read())
        return [each for slot, each in lists if slot != self.spare_slot()]

    def request_restart(self, reason: str, guilty: Sequence[str] = (), /) -> None:
        """Have this worker end; its parent starts another one, and judges the guilty models."""
        if self.failures.report(reason, guilty):
            logger.critical("this worker ends: %s", reason)
            self.on_failure()


def do_nothing() -> None:
    pass

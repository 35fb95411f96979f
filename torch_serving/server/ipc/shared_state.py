"""What the parent and its workers share; made before the workers are forked."""

import logging
import os
import signal

from torch_serving.server.ipc.loaded_models import LoadedModels
from torch_serving.server.ipc.peers import Peers
from torch_serving.server.ipc.quarantine import Quarantine
from torch_serving.server.ipc.scoreboard import Scoreboard
from torch_serving.telemetry._counters import Statistics

logger = logging.getLogger(__name__)


class SharedState:
    """One slot for each worker, one for the successor in a rolling restart, one for the parent.

    Without workers, there is only the parent's slot. It is the `WorkerGroup` of a server.
    """

    def __init__(self, workers: int = 0, quarantine_s: float = 0) -> None:
        slots = workers + 2 if workers else 1
        self.parent_slot = slots - 1
        self.scoreboard = Scoreboard(slots)
        self.quarantine = Quarantine(quarantine_s)
        self.statistics = Statistics(slots)
        self.loaded_models = LoadedModels(slots)
        self.peers = Peers(slots - 1, self.statistics.pid_of)
        self.scoreboard.attach(self.parent_slot)
        self.statistics.attach(self.parent_slot)
        # bound methods as attributes add no frame to a request
        self.set_running = self.scoreboard.set_running
        self.check_quarantine = self.quarantine.check
        self.remaining_quarantine_s = self.quarantine.remaining_s
        self.publish = self.loaded_models.publish
        self.published = self.loaded_models.read
        self.listen = self.peers.listen
        self.broadcast = self.peers.broadcast

    def attach(self, slot: int) -> None:
        """Use this slot in a worker that was just forked."""
        self.scoreboard.attach(slot)
        self.statistics.attach(slot)
        self.loaded_models.attach(slot)
        self.peers.attach(slot)

    def detach(self, slot: int) -> None:
        """Empty, in the parent, the slot of a worker that has ended."""
        self.scoreboard.clear(slot)
        self.statistics.detach(slot)
        self.loaded_models.detach(slot)

    def request_restart(self, reason: str, /) -> None:
        """Drain this worker; its parent starts another one."""
        logger.critical("this worker ends: %s", reason)
        os.kill(os.getpid(), signal.SIGTERM)

"""What the parent and its workers share; made before they are forked."""

from torch_serving.server.ipc.loaded_models import Inventory
from torch_serving.server.ipc.peers import Colleagues
from torch_serving.server.ipc.scoreboard import Board
from torch_serving.telemetry._counters import Statistics


class Shared:
    """There is a slot for each worker, one for the successor of a worker that is replaced, and one
    for the parent; with no workers, only that."""

    def __init__(self, workers: int = 0, quarantine_s: float = 0) -> None:
        slots = workers + 2 if workers else 1
        self.parent_slot = slots - 1
        self.board = Board(slots, quarantine_s)
        self.statistics = Statistics(slots)
        self.inventory = Inventory(slots)
        self.colleagues = Colleagues(slots - 1, self.statistics.pid_of)
        self.board.enter(self.parent_slot)
        self.statistics.enter(self.parent_slot)

    def enter(self, slot: int) -> None:
        """Say which slot belongs to this process, in that process."""
        self.board.enter(slot)
        self.statistics.enter(slot)
        self.inventory.enter(slot)
        self.colleagues.enter(slot)

    def leave(self, slot: int) -> None:
        """Say, in the parent, that the process of a slot has ended."""
        self.statistics.leave(slot)
        self.inventory.leave(slot)

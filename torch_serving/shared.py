"""What the parent and its workers share; made before they are forked."""

from torch_serving._statistics import Statistics
from torch_serving.board import Board
from torch_serving.colleagues import Colleagues
from torch_serving.inventory import Inventory


class Shared:
    def __init__(self, workers: int = 1, quarantine_s: float = 0) -> None:
        self.workers = workers
        self.board = Board(workers, quarantine_s)
        self.statistics = Statistics(workers)
        self.inventory = Inventory(workers)
        self.colleagues = Colleagues(workers, self.pid_of)

    def pid_of(self, worker: int) -> int:
        return self.statistics.by_worker()[worker].pid

    def enter(self, worker: int) -> None:
        """Say which worker this process is, in that process."""
        self.board.enter(worker)
        self.statistics.enter(worker)
        self.inventory.enter(worker)
        self.colleagues.enter(worker)

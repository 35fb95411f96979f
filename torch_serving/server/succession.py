"""Who takes the place of a worker: the spare, or a worker that is started now.

The spare has loaded and warmed its models, and accepts no connection until it is promoted. So it
serves within milliseconds, where a process that opens a GPU takes seconds to start.
"""

from torch_serving.server.rolling_restart import RollingRestart
from torch_serving.server.worker_pool import Worker, WorkerPool


class Succession:
    """Replaces workers of the pool; a rolling restart in progress goes on with their successors."""

    def __init__(self, pool: WorkerPool, restart: RollingRestart, has_spare: bool) -> None:
        self._pool = pool
        self._restart = restart
        self._has_spare = has_spare

    def keep_spare(self) -> None:
        """Start a spare if there is none, unless workers are being replaced."""
        if not self._has_spare or self._pool.spare or self._restart.is_replacing:
            return
        if spare := self._pool.add(is_spare=True):
            self._pool.start_or_back_off(spare)

    def promote_spare(self, worker: Worker) -> bool:
        """Give a worker's place to the spare; return whether there is one."""
        spare = self._pool.promote_spare()
        if spare is not None:
            self._restart.substitute(worker, spare)
        return spare is not None

    def replace(self, worker: Worker) -> bool:
        """Give a worker's place to the spare, or to a new one; False if no slot is free for it."""
        if self.promote_spare(worker):
            return True
        successor = self._pool.add()
        if successor is None:
            return False
        self._restart.substitute(worker, successor)
        self._pool.start_or_back_off(successor)
        return True

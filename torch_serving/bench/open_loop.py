"""An open loop: requests become due at a constant rate, whether or not others were answered.

A latency counts from when its request was due, so no wait is left out (no coordinated omission).
"""

from collections import deque

from torch_serving.bench.connection import Connection


class OpenLoop:
    """Sends what is due on a free connection; without one, it waits in a backlog."""

    def __init__(self, rate: float, limit: int) -> None:
        """After a backlog of `limit` nothing more becomes due: the load is beyond the server."""
        self.interval_s = 1 / rate
        self._limit = limit
        self._free: deque[Connection] = deque()
        self._backlog: deque[float] = deque()
        self.begin(0.0)

    def begin(self, start_s: float) -> None:
        """Let the first request be due then, and forget all that was due before."""
        self.backlog_peak = 0
        self.is_overrun = False
        self._start_s = start_s
        self._due = 0  # requests so far
        self._is_running = True
        self._backlog.clear()

    def idle(self, connection: Connection, now_s: float) -> None:
        if self._backlog:
            connection.send(self._backlog.popleft(), now_s)
        else:
            self._free.append(connection)

    def lost(self, connection: Connection) -> None:
        if connection in self._free:
            self._free.remove(connection)

    def tick(self, now_s: float) -> None:
        """Send all that has become due."""
        due_s = self._start_s + self._due * self.interval_s
        while self._is_running and due_s <= now_s:
            self._due += 1
            if self._free:  # the one that was free for longest: all workers get their share
                self._free.popleft().send(due_s, now_s)
            else:
                self._wait(due_s)
            due_s = self._start_s + self._due * self.interval_s

    def _wait(self, due_s: float) -> None:
        self._backlog.append(due_s)
        self.backlog_peak = max(self.backlog_peak, len(self._backlog))
        if len(self._backlog) >= self._limit:
            self.is_overrun = True
            self._is_running = False

    def stop(self) -> None:
        """Let nothing more become due; what waits is still sent."""
        self._is_running = False

    def waiting(self) -> list[float]:
        return list(self._backlog)

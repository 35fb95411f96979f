"""A closed loop: who has an answer asks again at once, so a slow server is asked less."""

from torch_serving.bench.connection import Connection

CHECK_S = 0.01


class ClosedLoop:
    """Keeps one request on its way on each connection."""

    interval_s = CHECK_S
    backlog_peak = 0
    is_overrun = False

    def __init__(self) -> None:
        self._is_running = True

    def begin(self, start_s: float) -> None:
        """Nothing is due before others."""

    def idle(self, connection: Connection, now_s: float) -> None:
        if self._is_running:
            connection.send(now_s, now_s)

    def lost(self, connection: Connection) -> None:
        """Another takes its place."""

    def tick(self, now_s: float) -> None:
        """Nothing is due by the clock."""

    def stop(self) -> None:
        self._is_running = False

    def waiting(self) -> list[float]:
        return []

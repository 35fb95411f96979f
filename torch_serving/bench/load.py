"""How much is sent, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """A closed loop of `connections`; with a `rate`, an open loop over at most so many."""

    connections: int = 8
    rate: float | None = None  # requests that become due in a second
    seconds: float = 10.0
    warm_up_s: float = 1.0  # the same load before, which is not measured
    timeout_s: float = 30.0  # how long an answer may take
    backlog: int = 100_000  # requests that may wait for a connection before the load is ended

    @property
    def name(self) -> str:
        connections = f"{self.connections} connection{'' if self.connections == 1 else 's'}"
        return connections if self.rate is None else f"{self.rate:,g} requests/s"

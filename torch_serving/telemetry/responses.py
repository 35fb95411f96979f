"""What is counted and logged of each response, whatever its transport."""

from torch_serving.telemetry._counters import MethodCounters, Statistics
from torch_serving.telemetry.access_log import AccessLog


class ResponseRecorder:
    """Counts responses for /metrics, and writes the access log if there is one."""

    def __init__(self, statistics: Statistics, access_log: AccessLog | None = None) -> None:
        self._statistics = statistics
        self.access_log = access_log

    def count(self, counters: MethodCounters | None, status: int, elapsed_s: float) -> None:
        """Count a response to a request for a method, or an error where none was found."""
        if counters is not None:
            counters.observe_response(status, elapsed_s)
        elif status >= 400:
            self._statistics.unmatched.observe_response(status, elapsed_s)

    def log(self, client: str | None, method: str, url: str, status: int, elapsed_s: float) -> None:
        if self.access_log is not None:
            self.access_log.write(client, method, url, status, elapsed_s)

    def flush(self) -> None:
        """Write the lines that were gathered."""
        if self.access_log is not None:
            self.access_log.flush()

"""Counters and access log of responses, whatever their transport."""

from typing import NamedTuple

from torch_serving.telemetry import error_kinds
from torch_serving.telemetry._counters import MethodCounters, Statistics
from torch_serving.telemetry.access_log import AccessLog

RequestLine = tuple[str | None, str, str, str]  # client, method, URL and request ID, for the log
UNKNOWN: RequestLine = (None, "-", "-", "-")


class Failure(NamedTuple):
    """Why a request got an error: the kind of the error, and a line for the log."""

    kind: str
    reason: str


CLIENT_GONE = Failure(error_kinds.CLIENT_GONE, "the client closed the connection")


class ResponseRecorder:
    """Counts responses for /metrics, and writes the access log if there is one."""

    def __init__(self, statistics: Statistics, access_log: AccessLog | None = None) -> None:
        self._statistics = statistics
        self._access_log = access_log

    def record(
        self,
        counters: MethodCounters | None,
        status: int,
        elapsed_s: float,
        request: RequestLine = UNKNOWN,
        failure: Failure | None = None,
    ) -> None:
        """Count and log a response, which an error has a `failure` for.

        Without `counters`, no method was found: only errors count.
        """
        if counters is not None:
            counters.observe_response(status, elapsed_s)
        elif status >= 400:
            self._statistics.unmatched.observe_response(status, elapsed_s)
        if failure is not None:
            self._statistics.count_error(error_kinds.NUMBERS[failure.kind])
        if self._access_log is not None:
            client, method, url, request_id = request
            reason = failure.reason if failure else ""
            self._access_log.write(client, method, url, status, elapsed_s, request_id, reason)

    def flush(self) -> None:
        """Write the lines that were gathered."""
        if self._access_log is not None:
            self._access_log.flush()

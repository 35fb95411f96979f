"""One line per request, on standard output."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from typing import Any, TextIO

FLUSH_S = 0.1  # a line is on its way for at most this long
MAX_URL = 300
# client, method, URL, status, elapsed milliseconds, request id
LogEntry = tuple[str | None, str, str, Any, float, str]
KEYS = ("time", "client", "method", "url", "status", "elapsed_ms", "request_id")
LOGGER = "torch_serving.access"
COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}  # of the status, by its first digit


class AccessLog:
    """Writes lines; on an event loop it gathers them, since each write is a system call."""

    def __init__(self, stream: TextIO, as_json: bool = False) -> None:
        self._stream = stream
        self._line: Callable[[str, LogEntry], str]
        self._line = json_line if as_json else colour_line if stream.isatty() else text_line
        self._clock = universal_time if as_json else local_time
        self._lines: list[str] = []
        self._second = 0
        self._time = ""

    def write(
        self,
        client: str | None,
        method: str,
        url: str,
        status: int,
        elapsed_s: float,
        request_id: str = "-",
    ) -> None:
        """Log one response. What the client sent is escaped and cut."""
        url = url if len(url) <= MAX_URL else f"{url[:MAX_URL]}…"
        if not url.isprintable():
            url = url.encode("unicode_escape").decode()
        entry = (client, method, url, status, elapsed_s * 1e3, request_id)
        self._lines.append(self._line(self._now(), entry))
        if len(self._lines) == 1:
            self._flush_later()

    def _now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._time = self._clock(second)
        return self._time

    def flush(self) -> None:
        """Write what was gathered."""
        lines, self._lines = self._lines, []
        self._stream.write("".join(lines))
        self._stream.flush()

    def _flush_later(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_later(FLUSH_S, self.flush)


def local_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))


def universal_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def text_line(now: str, entry: LogEntry) -> str:
    client, method, url, status, elapsed_ms, request_id = entry
    return f"{now} {client or '-'} {method} {url} {status} {elapsed_ms:.2f}ms {request_id}\n"


def colour_line(now: str, entry: LogEntry) -> str:
    client, method, url, status, elapsed_ms, request_id = entry
    code = f"\x1b[{COLOURS.get(status // 100, '0')}m{status}\x1b[0m"
    return text_line(now, (client, method, url, code, elapsed_ms, request_id))


def json_line(now: str, entry: LogEntry) -> str:
    record = {"level": "INFO", "logger": LOGGER, "pid": os.getpid()}
    return json.dumps(dict(zip(KEYS, (now, *entry), strict=True)) | record) + "\n"

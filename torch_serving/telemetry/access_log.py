"""One line per response, on standard output; that of an error says why."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from typing import Any, TextIO

from torch_serving.telemetry.log_lines import rfc3339

FLUSH_S = 0.1  # a line is on its way for at most this long
MAX_URL = 300  # characters
MAX_REASON = 500
LOGGER = "torch_serving.access"
# time, level, process, client, method, URL, status, elapsed milliseconds, request id, reason;
# a plain tuple: each response pays for it
LogEntry = tuple[str, str, int, str | None, str, str, Any, float, str, str]
KEYS = (
    *("time", "level", "pid", "client", "method", "url", "status", "elapsed_ms"),
    *("request_id", "reason"),
)
COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}  # of the status, by its first digit


class AccessLog:
    """Writes lines; on an event loop it gathers them, since each write is a system call."""

    def __init__(
        self,
        stream: TextIO,
        as_json: bool = False,
        least_status: int = 0,
        unless_200: frozenset[str] = frozenset(),
    ) -> None:
        """Responses below `least_status` are left out, and 200 for the URLs of `unless_200`."""
        self._stream = stream
        self._line: Callable[[LogEntry], str]
        self._line = json_line if as_json else colour_line if stream.isatty() else text_line
        self._least_status = least_status
        self._unless_200 = unless_200
        self._pid = os.getpid()
        self._lines: list[str] = []
        self._millisecond = 0
        self._time = ""

    def write(
        self,
        client: str | None,
        method: str,
        url: str,
        status: int,
        elapsed_s: float,
        request_id: str = "-",
        reason: str = "",
    ) -> None:
        """Log one response. What the client sent is escaped and cut."""
        if status < self._least_status or (status == 200 and url in self._unless_200):
            return
        if len(url) > MAX_URL or not url.isprintable():
            url = short(url, MAX_URL)
        if reason:
            reason = short(reason, MAX_REASON)
        level = "INFO" if status < 500 else "WARNING"
        entry = (
            self._now(), level, self._pid, client, method, url, status, elapsed_s * 1e3,
            request_id, reason,
        )  # fmt: skip
        self._lines.append(self._line(entry))
        if len(self._lines) == 1:
            self._flush_later()

    def _now(self) -> str:
        millisecond = int(time.time() * 1000)
        if millisecond != self._millisecond:  # many lines have the same
            self._millisecond = millisecond
            self._time = rfc3339(millisecond)
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


def short(text: str, limit: int) -> str:
    """Cut a text, and escape what could pass for the end of a line."""
    text = text if len(text) <= limit else f"{text[:limit]}…"
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def text_line(entry: LogEntry) -> str:
    now, level, pid, client, method, url, status, elapsed_ms, request_id, reason = entry
    return (
        f"{now} {level} {pid} {client or '-'} {method} {url} {status} {elapsed_ms:.2f}ms "
        f"{request_id}{' ' if reason else ''}{reason}\n"
    )


def colour_line(entry: LogEntry) -> str:
    status = entry[6]
    coloured = f"\x1b[{COLOURS.get(status // 100, '0')}m{status}\x1b[0m"
    return text_line((*entry[:6], coloured, *entry[7:]))


def json_line(entry: LogEntry) -> str:
    record: dict[str, Any] = dict(zip(KEYS, entry, strict=True)) | {"logger": LOGGER}
    record["elapsed_ms"] = round(record["elapsed_ms"], 3)
    if not record["reason"]:
        del record["reason"]
    return json.dumps(record) + "\n"

"""One line per request, on standard output."""

import asyncio
import json
import logging
import time
from typing import NamedTuple, TextIO

logger = logging.getLogger(__name__)

FLUSH_S = 0.1  # a line is on its way for at most this long
MAX_URL = 300
COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}  # of the status, by its first digit


class Entry(NamedTuple):
    """What is said of one answer."""

    time: str
    client: str | None
    method: str
    url: str
    status: int | str
    elapsed_ms: float
    request_id: str


class AccessLog:
    """Writes lines; on an event loop it gathers them, since each write is a system call."""

    def __init__(self, stream: TextIO, as_json: bool = False) -> None:
        self._stream = stream
        self._line = json_line if as_json else colour_line if stream.isatty() else text_line
        self._lines: list[str] = []
        self._is_full = False  # and that was told
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
        """Log one answer. What the client sent is escaped and cut."""
        url = url if len(url) <= MAX_URL else f"{url[:MAX_URL]}…"
        if not url.isprintable():
            url = url.encode("unicode_escape").decode()
        elapsed_ms = round(elapsed_s * 1e3, 3)
        entry = Entry(self._now(), client, method, url, status, elapsed_ms, request_id)
        self._lines.append(self._line(entry))
        if len(self._lines) == 1:
            self._flush_later()

    def _now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._time = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))
        return self._time

    def flush(self) -> None:
        """Write what was gathered."""
        lines, self._lines = self._lines, []
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
            self._is_full = False
        except OSError as error:  # requests go on without their lines
            if not self._is_full:
                logger.error("the access log is not written: %s", error.strerror)
            self._is_full = True

    def _flush_later(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_later(FLUSH_S, self.flush)


def text_line(entry: Entry) -> str:
    return (
        f"{entry.time} {entry.client or '-'} {entry.method} {entry.url} {entry.status} "
        f"{entry.elapsed_ms:.2f}ms {entry.request_id}\n"
    )


def colour_line(entry: Entry) -> str:
    colour = COLOURS.get(int(entry.status) // 100, "0")
    return text_line(entry._replace(status=f"\x1b[{colour}m{entry.status}\x1b[0m"))


def json_line(entry: Entry) -> str:
    return json.dumps(entry._asdict()) + "\n"

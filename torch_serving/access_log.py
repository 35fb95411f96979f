"""One line per request, on standard output."""

import asyncio
import time
from typing import TextIO

FLUSH_S = 0.1  # a line is on its way for at most this long
MAX_URL = 300
COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}  # of the status, by its first digit


class AccessLog:
    """Writes lines; on an event loop it gathers them, since each write is a system call."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty()
        self._lines: list[str] = []
        self._second = 0
        self._time = ""

    def write(
        self, client: str | None, method: str, url: str, status: int, elapsed_s: float
    ) -> None:
        """Log one answer. What the client sent is escaped and cut."""
        url = url if len(url) <= MAX_URL else f"{url[:MAX_URL]}…"
        if not url.isprintable():
            url = url.encode("unicode_escape").decode()
        code = f"\x1b[{COLOURS.get(status // 100, '0')}m{status}\x1b[0m" if self._colour else status
        self._lines.append(
            f"{self._now()} {client or '-'} {method} {url} {code} {elapsed_s * 1e3:.2f}ms\n"
        )
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
        self._stream.write("".join(lines))
        self._stream.flush()

    def _flush_later(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_later(FLUSH_S, self.flush)

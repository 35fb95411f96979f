"""One keep-alive connection of the generator, on which one request at a time is on its way."""

import asyncio
import time
from typing import Protocol

from httptools import HttpParserError, HttpResponseParser

from torch_serving.bench.reasons import reason_in


class Owner(Protocol):
    """Who is told what becomes of requests."""

    def answered(self, connection: "Connection", status: int, now_s: float) -> None: ...

    def lost(self, connection: "Connection", reason: str) -> None: ...


class Connection(asyncio.Protocol):
    """Writes the request, and waits for the end of its response."""

    __slots__ = (
        "_data",
        "_owner",
        "_parser",
        "_request",
        "_transport",
        "due_s",
        "sent_s",
    )

    def __init__(self, owner: Owner, request: bytes) -> None:
        self._owner = owner
        self._request = request
        self._data = b""
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self.due_s = 0.0
        self.sent_s = 0.0  # 0: no request is on its way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def send(self, due_s: float, now_s: float) -> None:
        """Send the request that was due then. An earlier one must have been answered."""
        self.due_s = due_s
        self.sent_s = now_s
        self._transport.write(self._request)  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        self._data = data
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.fail("the answer is not HTTP")

    def on_message_complete(self) -> None:
        """The parser has seen the end of a response."""
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self._transport.close()  # type: ignore[union-attr]
        self._owner.answered(self, status, time.perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        self._owner.lost(self, "the connection was closed before the answer")

    def fail(self, reason: str) -> None:
        """End the connection; what was on its way has failed."""
        self._owner.lost(self, reason)
        self._transport.abort()  # type: ignore[union-attr]

    def close(self) -> None:
        self._transport.abort()  # type: ignore[union-attr]

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def reason(self, status: int) -> str:
        """Why the last response is no success, as its body says."""
        head, _, body = self._data.partition(b"\r\n\r\n")
        return reason_in(body or head, status)  # a body may come without its head

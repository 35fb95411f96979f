"""The body of an ASGI request, whole or not at all."""

import asyncio
import time
from typing import Any

import falcon
import falcon.asgi

from torch_serving.codecs.interfaces import Body
from torch_serving.errors import InvalidParameter
from torch_serving.http._connection import BodyRoom
from torch_serving.http.content_coding import decompress, request_coding
from torch_serving.http.request_body import check_length, check_whole
from torch_serving.http.server_timing import WISH
from torch_serving.telemetry._counters import MethodCounters
from torch_serving.telemetry.tracing import StepTime


class Disconnected(Exception):
    """The client went away; nobody reads the response."""


class Request(falcon.asgi.Request):
    """Reads the server's events itself: Falcon's stream takes a truncated body for a whole one."""

    def __init__(
        self, scope: Any, receive: Any, first_event: Any = None, options: Any = None
    ) -> None:
        super().__init__(scope, receive, first_event=first_event, options=options)
        self._next_event = receive
        self._event = first_event
        self.started_s = time.perf_counter()
        self.steps: list[StepTime] | None = [] if WISH in scope["headers"] else None

    def count_in(self, counters: MethodCounters) -> None:
        """Say where the connection counts the response and its duration."""
        self.scope["torch_serving.counters"] = counters

    def timeout_s(self) -> float | None:
        """The deadline that a client sets, in seconds. Raises InvalidParameter."""
        text = self.get_header("x-request-timeout-ms")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and int(text[:12]) > 0 and len(text) <= 12):
            raise InvalidParameter(
                f"header `X-Request-Timeout-Ms`: expected a whole number above 0, got `{text[:40]}`"
            )
        return int(text) / 1000

    async def read_body(self, limit_bytes: int, may_be_empty: bool = False) -> Body:
        """Return the body, decompressed.

        Raises BodyTooLarge before much more than the limit is read or decompressed, and Overloaded
        where too many bodies are being decompressed.
        """
        coding = request_coding(self.get_header("content-encoding"))
        announced = self.content_length
        check_length(announced, limit_bytes)
        body: Body = self._event.get("body", b"")
        if self._event.get("more_body"):
            body = await self._read_rest(body, limit_bytes)
        check_length(len(body), limit_bytes)
        if may_be_empty and not body:
            return body
        check_whole(body, announced)
        return await self._decompress(body, coding, limit_bytes) if coding else body

    async def _decompress(self, body: Body, coding: str, limit_bytes: int) -> Body:
        """Decompress with the memory for as much as the limit; what is not needed goes back."""
        room: BodyRoom | None = self.scope.get("torch_serving.room")
        if room is None:
            return await asyncio.to_thread(decompress, body, coding, limit_bytes)
        room.take(limit_bytes)
        result = await asyncio.to_thread(decompress_in, room, body, coding, limit_bytes)
        room.keep(len(result))
        return result

    async def _read_rest(self, body: Body, limit_bytes: int) -> Body:
        more = True
        while more and len(body) <= limit_bytes:
            event = await self._next_event()
            if event["type"] != "http.request":
                raise Disconnected
            more_body = event.get("body", b"")
            body = body + more_body if body else more_body
            more = event.get("more_body", False)
        return body


def decompress_in(room: BodyRoom, body: Body, coding: str, limit_bytes: int) -> Body:
    """Keep the room until the thread ends: the request may end before."""
    return decompress(body, coding, limit_bytes)


def raw_header(req: falcon.Request, name: str) -> bytes | None:
    """A header of an ASGI or a WSGI request, as it was sent."""
    value = req.get_header(name)
    return None if value is None else value.encode("latin-1")

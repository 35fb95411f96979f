"""uvicorn's HTTP protocol and what it lacks: a limit for heads, deadlines, refusals in JSON."""

import asyncio
import json
import re
from enum import Enum
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from torch_serving.access_log import AccessLog
from torch_serving.errors import (
    BodyTooLarge,
    HeadTooLarge,
    InvalidHttp,
    RequestTimeout,
    ServingError,
)

MAX_HEAD_BYTES = 64 * 1024  # request line and headers; other servers take 8 to 64 KiB
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class Part(Enum):
    """What of a request arrives now."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class Protocol(HttpToolsProtocol):
    """One connection. Its class attributes are set by `server`, for all connections."""

    header_timeout_s = 10.0
    body_timeout_s = 60.0
    max_body_bytes = 256 << 20
    log: AccessLog | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._part = Part.NOTHING
        self._completed = False  # a message ended in the data that is being parsed
        self._head_bytes = 0  # what came of the head that is arriving
        self._previous: RequestResponseCycle | None = None  # the request before self.cycle
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_part = Part.NOTHING
        self._refusal: ServingError | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(Part.HEAD)  # a connection that never says anything ends too

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._part is Part.NOTHING:
            data = without_upgrade(data)
        self._completed = False
        self._head_bytes += len(data)
        super().data_received(data)
        if self._part is not Part.HEAD or self._completed:
            # a head that follows another message in one piece is counted from the next piece on
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD_BYTES:
            self.refuse(HeadTooLarge(f"the limit is {MAX_HEAD_BYTES} bytes"))
            return
        if self._completed or self._part is not self._deadline_part:
            self._arm(self._part)

    def on_message_begin(self) -> None:
        self._part = Part.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._head_bytes > MAX_HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > MAX_HEAD_BYTES:
                self._give_up(HeadTooLarge(f"the limit is {MAX_HEAD_BYTES} bytes"))
        if self.expect_100_continue:
            self._check_announced()
        self._previous = self.cycle
        super().on_headers_complete()
        self._part = Part.BODY

    def on_message_complete(self) -> None:
        self._part = Part.NOTHING
        self._completed = True
        super().on_message_complete()

    def _check_announced(self) -> None:
        """Refuse a body that is too large before its client is told to send it."""
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if lengths and lengths[0].isdigit() and int(lengths[0]) > self.max_body_bytes:
            self._give_up(BodyTooLarge(f"the limit is {self.max_body_bytes} bytes"))

    def _give_up(self, error: ServingError) -> None:
        """Stop the parser, which then calls send_400_response."""
        self._refusal = error
        raise error

    def send_400_response(self, msg: str) -> None:
        self.refuse(self._refusal or InvalidHttp("the request can't be parsed as HTTP/1.1"))

    def refuse(self, error: ServingError) -> None:
        """Answer for a request that the application can't answer, and close the connection.

        Answers to earlier requests come first: an error in their place would be taken for theirs.
        """
        self._refused = True
        self._disarm()
        its_cycle = self.cycle if self._part is Part.BODY else None
        earlier = self._previous if its_cycle else self.cycle
        if its_cycle:
            if not its_cycle.response_started:
                its_cycle.scope["state"]["status"] = error.status
            its_cycle.disconnected = True
            its_cycle.message_event.set()
        elif self.log and self.client:
            self.log.write(self.client[0], "-", "-", error.status, 0.0)
        if earlier and not earlier.response_complete:
            earlier.keep_alive = False
            if self.pipeline and self.pipeline[0][0] is its_cycle:
                self.pipeline.popleft()
            return
        if not (its_cycle and its_cycle.response_started):
            self.transport.write(response_of(error))
        self.transport.close()

    def _arm(self, part: Part) -> None:
        self._disarm()
        self._deadline_part = part
        if part is not Part.NOTHING:
            timeout_s = self.header_timeout_s if part is Part.HEAD else self.body_timeout_s
            self._deadline = self.loop.call_later(timeout_s, self._expire, timeout_s)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self, timeout_s: float) -> None:
        if self.flow.read_paused:  # by us, not by the client: it may have sent everything
            self._arm(self._deadline_part)
        elif self._part is Part.NOTHING:
            self.transport.close()  # it never said anything
        else:
            part = self._part.value
            self.refuse(RequestTimeout(f"the {part} did not arrive within {timeout_s:g} seconds"))


def without_upgrade(data: bytes) -> bytes:
    """Hide a wish for another protocol: the parser would take the body for that protocol's.

    Clients that would like HTTP/2 send it with ordinary requests, and take HTTP/1.1 for an answer.
    """
    if b"pgrade:" not in data[:MAX_HEAD_BYTES]:
        return data
    head, end, body = data.partition(b"\r\n\r\n")
    return UPGRADE.sub(b"\r\nx-upgrade:", head) + end + body


def response_of(error: ServingError) -> bytes:
    """A whole HTTP response that ends the connection."""
    body = json.dumps(error.document()).encode()
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body

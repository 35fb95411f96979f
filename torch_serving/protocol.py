"""uvicorn's HTTP protocol and what it lacks: a limit for heads, deadlines, refusals in JSON."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from torch_serving.access_log import AccessLog
from torch_serving.errors import HeadTooLarge, InvalidHttp, RequestTimeout, ServingError

MAX_HEAD_BYTES = 64 * 1024  # request line and headers; other servers take 8 to 64 KiB


class Protocol(HttpToolsProtocol):
    """One connection. Its class attributes are set by `server`, for all connections."""

    header_timeout_s = 10.0
    body_timeout_s = 60.0
    log: AccessLog | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0  # what came for the head that is arriving
        self._deadline: asyncio.TimerHandle | None = None
        self._refusal: ServingError | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(self.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head():
            if self._head_bytes > MAX_HEAD_BYTES:
                self.refuse(HeadTooLarge(f"the limit is {MAX_HEAD_BYTES} bytes"))
            elif self._deadline is None:
                self._arm(self.header_timeout_s)
            return
        self._head_bytes = 0
        self._disarm()
        if self.cycle is not None and self.cycle.more_body:
            self._arm(self.body_timeout_s)

    def on_headers_complete(self) -> None:
        if self._head_bytes > MAX_HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > MAX_HEAD_BYTES:
                self._refusal = HeadTooLarge(f"the limit is {MAX_HEAD_BYTES} bytes")
                raise self._refusal  # the parser stops, and send_400_response is called
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self.refuse(self._refusal or InvalidHttp("the request can't be parsed as HTTP/1.1"))

    def refuse(self, error: ServingError) -> None:
        """Answer what never became a request, and close the connection."""
        self._refused = True
        self._disarm()
        running = self.cycle is not None and not self.cycle.response_complete
        if running and not self.cycle.more_body:
            self.cycle.keep_alive = (
                False  # its answer comes first; an error now would be taken for it
            )
            return
        if not (running and self.cycle.response_started):
            self.transport.write(response_of(error))
        if running:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        if self.log and self.client:
            self.log.write(self.client[0], "-", "-", error.status, 0.0)

    def _in_head(self) -> bool:
        return self.scope is None or "method" not in self.scope

    def _arm(self, timeout_s: float) -> None:
        self._deadline = self.loop.call_later(timeout_s, self._expire, timeout_s)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self, timeout_s: float) -> None:
        self._deadline = None
        if self.flow.read_paused:  # by us, not by the client: it may have sent everything
            self._arm(timeout_s)
        elif self.scope is None:
            self.transport.close()  # it never said anything
        else:
            part = "head" if self._in_head() else "body"
            self.refuse(RequestTimeout(f"the {part} did not arrive within {timeout_s:g} seconds"))


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

"""The body of an ASGI request, whole or not at all."""

import asyncio
from typing import Any

import falcon.asgi

from torch_serving.http.request_body import Body, check_length, check_whole, coding_of, decoded
from torch_serving.telemetry._counters import MethodCounters


class Disconnected(Exception):
    """The client went away; nobody reads the answer."""


class Request(falcon.asgi.Request):
    """Reads the server's events itself: Falcon's stream takes a body that was cut for a whole."""

    def __init__(
        self, scope: Any, receive: Any, first_event: Any = None, options: Any = None
    ) -> None:
        super().__init__(scope, receive, first_event=first_event, options=options)
        self._next_event = receive
        self._event = first_event

    def count_in(self, counters: MethodCounters) -> None:
        """Tell the protocol where the answer is counted, and how long it took."""
        self.scope["torch_serving.counters"] = counters

    async def read_body(self, limit_bytes: int, may_be_empty: bool = False) -> Body:
        """Return the body, unpacked. Raises BodyTooLarge before much more than the limit is read,
        or unpacked."""
        coding = coding_of(self.get_header("content-encoding"))
        announced = self.content_length
        check_length(announced, limit_bytes)
        body: Body = self._event["body"]
        if self._event.get("more_body"):
            body = await self._read_rest(body, limit_bytes)
        check_length(len(body), limit_bytes)
        if may_be_empty and not body:
            return body
        check_whole(body, announced)
        return await asyncio.to_thread(decoded, body, coding, limit_bytes) if coding else body

    async def _read_rest(self, body: Body, limit_bytes: int) -> Body:
        more = True
        while more and len(body) <= limit_bytes:
            event = await self._next_event()
            if event["type"] != "http.request":
                raise Disconnected
            body = body + event["body"] if body else event["body"]
            more = event.get("more_body", False)
        return body

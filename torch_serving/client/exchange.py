"""One request, its response, and when to try again: without a socket, for both clients.

A call is a generator of steps. It yields a `Sending` or a `Pause`; a client does that and sends in
the `Response`, or throws `ConnectionLost`, or TimeoutError when the time is over.
"""

import json
import random
import time
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from torch_serving.client.bodies import NO_BODY, Body
from torch_serving.client.errors import (
    DeadlineExceeded,
    InvalidResponse,
    ServingError,
    Unavailable,
    Unreachable,
    kind_of,
)

FIRST_PAUSE_S = 0.1  # doubled with each try
MAX_PAUSE_S = 5.0
ENDLESS_S = 1e8  # three years; no clock of a socket goes far beyond
SERVERS_SHARE = 0.95  # of the time that is left: its own words shall arrive before it is over
AFTER_A_START = ("Out of memory", "Device failed")  # the model may have begun to run
MAX_SHOWN = 200  # characters of a response that is not ours


class Request(NamedTuple):
    """What is asked. `repeatable`: it may run twice."""

    method: str
    target: str
    body: Body = NO_BODY
    repeatable: bool = True
    accept: str = ""


class Sending(NamedTuple):
    """A request that is to be sent; `left_s` is the time for all of it, None without end."""

    request: Request
    headers: Mapping[str, str]
    left_s: float | None


class Pause(NamedTuple):
    """Time to let pass."""

    seconds: float


class Response(NamedTuple):
    """A whole response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


class ConnectionLost(Exception):
    """There is no response. `was_sent`: whether all of the request had been."""

    def __init__(self, problem: str, was_sent: bool) -> None:
        super().__init__(problem)
        self.was_sent = was_sent


T = TypeVar("T")
Steps = Generator[Sending | Pause, Any, T]


class Deadline:
    """The end of a call, however often it is tried."""

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and seconds > ENDLESS_S:
            seconds = None
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left_s(self) -> float | None:
        """The seconds that are left; None for a call without a deadline."""
        return None if self._end is None else self._end - time.monotonic()

    def is_before(self, pause_s: float) -> bool:
        """Whether it is over before a pause has ended."""
        left = self.left_s()
        return left is not None and left <= pause_s

    def error(self) -> DeadlineExceeded:
        return DeadlineExceeded("Deadline exceeded", f"no response within {self.seconds:g} s")


def ask(request: Request, deadline: Deadline, retries: int) -> Steps[Response]:
    """Get a response of 2xx, in as many tries as allowed. Raises ServingError."""
    for attempt in range(retries + 1):
        left = deadline.left_s()
        if left is not None and left <= 0:
            raise deadline.error()
        try:
            response: Response = yield Sending(request, headers_of(request, left), left)
        except TimeoutError:
            raise deadline.error() from None
        except ConnectionLost as lost:
            error: ServingError = unreachable(lost)
            again = request.repeatable or not lost.was_sent
        else:
            if 200 <= response.status < 300:
                return response
            error = error_of(response)
            again = may_be_tried_again(error, request.repeatable)
        pause = pause_before(attempt, error)
        if not again or attempt == retries or deadline.is_before(pause):
            raise error
        yield Pause(pause)
    raise AssertionError


def headers_of(request: Request, left_s: float | None) -> dict[str, str]:
    """The headers of one try."""
    headers = dict(request.body.headers)
    if request.accept:
        headers["Accept"] = request.accept
    if left_s is not None:
        headers["X-Request-Timeout-Ms"] = str(max(1, int(left_s * SERVERS_SHARE * 1000)))
    return headers


def unreachable(lost: ConnectionLost) -> Unreachable:
    error = Unreachable("No response", str(lost))
    error.may_have_run = lost.was_sent
    return error


def may_be_tried_again(error: ServingError, repeatable: bool) -> bool:
    """Whether another try may help, and does no harm.

    What names a time was refused before the model ran, but for two cases. 502 and 504 of a proxy
    say nothing of what ran behind it; 504 of the server itself is the caller's own deadline.
    """
    if error.status in (429, 503) and error.retry_after_s is not None:
        return repeatable or error.description not in AFTER_A_START
    return repeatable and error.status in (502, 503, 504) and isinstance(error, Proxied)


def pause_before(attempt: int, error: ServingError) -> float:
    """How long to wait: as the server says, and a random part of a growing time."""
    growing: float = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0**attempt)
    return (error.retry_after_s or 0.0) + growing * random.uniform(0.5, 1.0)


class Proxied(Unavailable):
    """A proxy answered in the server's place."""


def error_of(response: Response) -> ServingError:
    """The error that a response stands for."""
    known: dict[str, Any] = {
        "status": response.status,
        "request_id": response.headers.get("x-request-id", ""),
        "retry_after_s": retry_after_s(response.headers.get("retry-after")),
    }
    try:
        document = json.loads(response.body)
        description, detail = document["description"], document.get("detail", "")
    except (ValueError, TypeError, LookupError, AttributeError):
        return foreign_error(response, known)
    if not (isinstance(description, str) and isinstance(detail, str)):
        return foreign_error(response, known)
    return kind_of(response.status, description)(description, detail, **known)


def foreign_error(response: Response, known: dict[str, Any]) -> ServingError:
    """The error of a response that is not the server's: proxies have keys and limits, too."""
    kind: type[ServingError] = InvalidResponse
    if response.status in (401, 403, 413):
        kind = kind_of(response.status, "")
    elif response.status in (429, 502, 503, 504):
        kind = Proxied
    return kind(f"HTTP status {response.status}", shown(response), **known)


def shown(response: Response) -> str:
    """How a response begins that is not the server's."""
    text = bytes(response.body[:MAX_SHOWN]).decode(errors="replace").strip()
    return text or "an empty response"


def retry_after_s(value: str | None) -> float | None:
    """The seconds of a `Retry-After`, which may be a date; None for what is neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None

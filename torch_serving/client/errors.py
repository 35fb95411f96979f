"""What a call may raise, as one tree. `str()` of each is one sentence, the server's where it spoke.

ServingError
├── ClientError             4xx: the request is wrong
│   ├── InvalidRequest      400: an argument, a method, a device
│   ├── UnknownModel        400, 404: no such model, or one that can't be loaded
│   ├── Unauthorized        401, 403: no key, or a wrong one
│   └── RequestTooLarge     413
├── ServerError             5xx
│   ├── ModelFailed         500: the model raised, or its result has no form
│   └── Unavailable         429, 502, 503: overloaded, stopping, quarantined, out of memory
├── DeadlineExceeded        504, or the client's own clock
├── Unreachable             no response: not connected, or the connection was lost
└── InvalidResponse         a response that is not this server's
"""

import re
from typing import Any

POINTER = re.compile(r"(/[^:\s]*): ")
ARGUMENT = re.compile(r"\(argument `([^`]+)`[^()]*\)|(?:argument|input) `([^`]+)`")


class ServingError(Exception):
    """A call failed.

    `status` is that of HTTP, 0 without a response. `description` is one of the server's fixed
    sentences, for programs; `detail` says more, for people. `request_id` finds the request in the
    server's log. `retry_after_s`: the server's word when to try again.
    """

    def __init__(
        self,
        description: str,
        detail: str = "",
        *,
        status: int = 0,
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{description}: {detail}" if detail else description)
        self.description = description
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    @property
    def pointer(self) -> str:
        """The JSON Pointer to what was wrong in the arguments; empty where there is none."""
        found = POINTER.match(self.detail)
        return found[1] if found else ""

    @property
    def argument(self) -> str:
        """The argument that was wrong, by its name; empty where the server named none."""
        found = ARGUMENT.search(self.detail)
        return (found[1] or found[2]) if found else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.description, self.detail), self.__dict__


class ClientError(ServingError):
    """The server refused the request: 4xx."""


class InvalidRequest(ClientError):
    """An argument, a method or a device is wrong; `pointer` and `argument` say which."""


class UnknownModel(ClientError):
    """There is no such model, or its file can't be loaded."""


class Unauthorized(ClientError):
    """The server asks for another key."""


class RequestTooLarge(ClientError):
    """The body is over the server's limit."""


class ServerError(ServingError):
    """The server, or the model, failed: 5xx."""


class ModelFailed(ServerError):
    """The model raised an error, or gave what has no form."""


class Unavailable(ServerError):
    """The server can't run the model now; `retry_after_s` says when it may."""


class DeadlineExceeded(ServingError):
    """The time of the call was over, by the server's clock or the client's."""


class Unreachable(ServingError):
    """There was no response. `may_have_run`: whether the whole request had been sent."""

    may_have_run = False


class InvalidResponse(ServingError):
    """The response is not one of this server; a proxy or another service may have sent it."""


KINDS: dict[int, type[ServingError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Unauthorized,
    404: UnknownModel,
    413: RequestTooLarge,
    429: Unavailable,
    500: ModelFailed,
    502: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}
OF_DESCRIPTIONS: dict[str, type[ServingError]] = {
    "Invalid servable identifier": UnknownModel,
    "Unexpected server error": ServerError,
}


def kind_of(status: int, description: str) -> type[ServingError]:
    """The class of an error response."""
    other = ClientError if status < 500 else ServerError
    return OF_DESCRIPTIONS.get(description) or KINDS.get(status, other)

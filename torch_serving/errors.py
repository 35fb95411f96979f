"""Everything that can go wrong, as one tree. The class decides status and description.

ServingError
├── ClientError                 the caller's fault: 4xx
│   ├── MissingParameter        400
│   ├── RepeatedParameter       400
│   ├── InvalidParameter        400
│   ├── EmptyBody               400
│   ├── InvalidEncoding         400
│   ├── InvalidJson             400
│   ├── InvalidServable         400
│   ├── InvalidInput            400
│   ├── IncompatibleShape       400
│   ├── IncompatibleDtype       400
│   ├── InvalidDevice           400
│   ├── InvalidHttp             400
│   ├── Unauthorized            401
│   ├── NotFound                404
│   ├── MethodNotAllowed        405
│   ├── NotAcceptable           406
│   ├── RequestTimeout          408
│   ├── BodyTooLarge            413
│   ├── UnsupportedMedia        415
│   ├── UnsupportedContentType  415
│   └── HeadTooLarge            431
└── ServerError                 ours, or the model's: 5xx
    ├── UnexpectedError         500
    ├── InferenceFailed         500
    ├── UnsupportedResult       500
    ├── OutOfMemory             503
    ├── DeviceFailed            503
    ├── Overloaded              503
    ├── Quarantined             503
    ├── WorkerFailed            503
    ├── NotReady                503
    ├── ShuttingDown            503
    └── DeadlineExceeded        504

Descriptions are part of the wire contract: clients compare them. StartupError stands apart: it is
for the operator who starts the server, and never reaches a client.
"""

import errno
import math
from typing import ClassVar

NO_DESCRIPTOR = "the server has no file descriptor left"


class ServingError(Exception):
    """An error that the client receives: `detail` says where, what came and what was expected."""

    status: ClassVar[int] = 500
    description: ClassVar[str] = "Unexpected server error"
    retry_after_s: int | None = None  # when to try again
    trace: str = ""  # for the log: where in its code a model failed

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def reason(self) -> str:
        """Description and detail as one text."""
        return f"{self.description}: {self.detail}" if self.detail else self.description

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    def to_dict(self) -> dict[str, object]:
        """The error as JSON. A transport may have another format."""
        fault = "Client Error" if self.status < 500 else "Server Error"
        document: dict[str, object] = {
            "code": self.status,
            "message": fault,
            "description": self.description,
        }
        if self.detail:
            document["detail"] = self.detail
        return document


class ClientError(ServingError):
    status = 400
    description = "Bad request"


class MissingParameter(ClientError):
    description = "Missing required parameter `servable_identifier`"


class RepeatedParameter(ClientError):
    description = "Required parameter `servable_identifier` must only be passed in once"


class InvalidParameter(ClientError):
    description = "Invalid parameter"


class EmptyBody(ClientError):
    description = "Empty body"


class InvalidEncoding(ClientError):
    description = "Invalid content encoding"


class InvalidJson(ClientError):
    description = "Invalid JSON"


class InvalidServable(ClientError):
    description = "Invalid servable identifier"


class InvalidInput(ClientError):
    description = "Invalid Input JSON"


class IncompatibleShape(ClientError):
    description = "Incompatible tensor shapes"


class IncompatibleDtype(ClientError):
    description = "Incompatible tensor data type"


class InvalidDevice(ClientError):
    description = "Invalid device"


class InvalidHttp(ClientError):
    description = "Invalid HTTP request"


class Unauthorized(ClientError):
    status = 401
    description = "Unauthorized"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class NotFound(ClientError):
    status = 404
    description = "Not found"


class MethodNotAllowed(ClientError):
    """`allowed` names the methods that the resource has, with commas."""

    status = 405
    description = "Method not allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this resource takes {allowed}")
        self._allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self._allowed}


class NotAcceptable(ClientError):
    status = 406
    description = "Not acceptable"


class RequestTimeout(ClientError):
    status = 408
    description = "Request timeout"


class BodyTooLarge(ClientError):
    status = 413
    description = "Request body too large"


class UnsupportedMedia(ClientError):
    status = 415
    description = "Unsupported content encoding"


class UnsupportedContentType(ClientError):
    """Of Python's API alone: over HTTP, unknown types are JSON."""

    status = 415
    description = "Unsupported content type"


class HeadTooLarge(ClientError):
    status = 431
    description = "Request head too large"


class ServerError(ServingError):
    status = 500


class UnexpectedError(ServerError):
    pass


class InferenceFailed(ServerError):
    description = "Inference failed"


class UnsupportedResult(ServerError):
    """The model returned a value that the response's media type can't represent."""

    description = "Unsupported result"


class OutOfMemory(ServerError):
    """`missing_bytes` is what the device lacked, if it is known."""

    status = 503
    description = "Out of memory"
    retry_after_s = 1

    def __init__(self, detail: str = "", missing_bytes: int | None = None) -> None:
        super().__init__(detail)
        self.missing_bytes = missing_bytes


class DeviceFailed(ServerError):
    status = 503
    description = "Device failed"
    retry_after_s = 5

    def __init__(self, detail: str = "", lost: bool = True) -> None:
        super().__init__(detail)
        self.lost = lost  # whether the process had something there: then it ends


class Overloaded(ServerError):
    status = 503
    description = "Server overloaded"
    retry_after_s = 1


class Quarantined(ServerError):
    """The process died more than once while this model ran."""

    status = 503
    description = "Model quarantined"

    def __init__(self, name: str, left_s: float) -> None:
        seconds = math.ceil(left_s)
        super().__init__(f"`{name}`: the server died while it ran; it may run again in {seconds} s")
        self.retry_after_s = seconds


class WorkerFailed(ServerError):
    """One of several workers did not do what the others did."""

    status = 503
    description = "Worker failed"
    retry_after_s = 5


class NotReady(ServerError):
    """A model that is being loaded."""

    status = 503
    description = "Model not ready"
    retry_after_s = 1


class ShuttingDown(ServerError):
    status = 503
    description = "Server shutting down"
    retry_after_s = 5


class DeadlineExceeded(ServerError):
    status = 504
    description = "Deadline exceeded"


class StartupError(Exception):
    """The server can't start as it is configured; one line says why."""


def file_error(error: OSError, what: str) -> ServingError:
    """Translate an error of the operating system about a model's file; `what` is what failed.

    Where the process has no descriptor or no memory left, the file is not to blame, and nobody must
    remember it as a bad one.
    """
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Overloaded(NO_DESCRIPTOR)
    if error.errno in (errno.EAGAIN, errno.EPIPE):
        return Overloaded("the server can't start a process now")
    if error.errno == errno.ENOMEM:
        return OutOfMemory("the server has too little memory left for this request")
    return InvalidServable(f"{what}: {error.strerror or type(error).__name__}")

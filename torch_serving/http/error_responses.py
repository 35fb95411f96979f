"""Errors -> HTTP responses, the same for every server and framework."""

import json
import logging
import traceback
from typing import NamedTuple

from torch_serving.errors import ClientError, OutOfMemory, ServingError, UnexpectedError
from torch_serving.telemetry.error_kinds import kind_of
from torch_serving.telemetry.rate_limit import RateLimit
from torch_serving.telemetry.responses import Failure

MAX_TRACE = 8000  # characters
MAX_SENT_TRACE = 16_000

logger = logging.getLogger(__name__)
logger.addFilter(RateLimit(10))  # of traces: the reason is in the access log, for each request


class DebugErrors:
    """Whether the clients of this process get the traces of errors; said once, at the start."""

    are_sent = False


class ErrorResponse(NamedTuple):
    """A whole response, whatever server sends it."""

    status: int
    headers: list[tuple[str, str]]  # names in lower case
    body: bytes
    failure: Failure  # for counters and log


def error_response(path: str, error: BaseException, request_id: bytes = b"-") -> ErrorResponse:
    """The response to a request at a path, in the error format of the path's contract."""
    known = to_serving_error(error, request_id)
    document = to_oip(known) if is_oip(path) else known.to_dict()
    if DebugErrors.are_sent and (trace := trace_of(known, error)):
        document["trace"] = shortened(trace, MAX_SENT_TRACE)
    headers = {"content-type": "application/json", **known.headers}
    return ErrorResponse(
        known.status,
        [(name.lower(), value) for name, value in headers.items()],
        json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"),
        failure_of(known, error),
    )


def trace_of(known: ServingError, error: BaseException) -> str:
    """Where a model or the server failed; empty for errors that say it all."""
    if isinstance(known, UnexpectedError):
        return "".join(traceback.format_exception(error))
    return known.trace


def shortened(text: str, limit: int) -> str:
    """Both ends of a text that is too long, and how much was left out between them."""
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {left_out} characters are left out …\n{text[-half:]}"


def failure_of(known: ServingError, error: BaseException | None = None) -> Failure:
    """What is logged and counted of an error; of an unexpected one more than clients learn."""
    reason = known.reason
    if isinstance(known, UnexpectedError) and error is not None:
        reason = f"{reason}: {type(error).__name__}: {error}"
    return Failure(kind_of(type(known)), reason)


def to_serving_error(error: BaseException, request_id: bytes = b"-") -> ServingError:
    """Translate a foreign error. An unexpected one is logged, and clients learn nothing of it."""
    if isinstance(error, ServingError) and error.trace:
        level = logging.DEBUG if isinstance(error, ClientError) else logging.INFO
        trace = error.trace[:MAX_TRACE]
        logger.log(level, "request %s: the model raised: %s", request_id.decode(), trace)
    if isinstance(error, ServingError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemory("the server has too little memory left for this request")
    logger.error("unexpected error in request %s", request_id.decode(), exc_info=error)
    return UnexpectedError()


def is_oip(path: str) -> bool:
    """Whether a path belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def to_oip(error: ServingError) -> dict[str, object]:
    """Clients of the Open Inference Protocol read errors by one key."""
    return {"error": error.reason}

"""Errors -> HTTP responses, the same for every server and framework."""

import json
import logging
from typing import NamedTuple

from torch_serving.errors import InferenceFailed, OutOfMemory, ServingError, UnexpectedError

logger = logging.getLogger(__name__)


class ErrorResponse(NamedTuple):
    """A whole response, whatever server sends it."""

    status: int
    headers: list[tuple[str, str]]  # names in lower case
    body: bytes


def error_response(path: str, error: BaseException, request_id: bytes = b"-") -> ErrorResponse:
    """The response to a request at a path, in the error format of the path's contract."""
    known = to_serving_error(error, request_id)
    document = to_oip(known) if is_oip(path) else known.to_dict()
    headers = {"content-type": "application/json", **known.headers}
    return ErrorResponse(
        known.status,
        [(name.lower(), value) for name, value in headers.items()],
        json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"),
    )


def to_serving_error(error: BaseException, request_id: bytes = b"-") -> ServingError:
    """Translate a foreign error. An unexpected one is logged, and clients learn nothing of it."""
    if isinstance(error, InferenceFailed) and error.trace:
        logger.info("request %s: the model raised: %s", request_id.decode(), error.trace)
    if isinstance(error, ServingError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemory("the server has too little memory left for this request")
    logger.error("unexpected error in request %s", request_id.decode(), exc_info=error)
    return UnexpectedError()


def is_oip(path: str) -> bool:
    """Whether a path belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def to_oip(error: ServingError) -> dict[str, str]:
    """Clients of the Open Inference Protocol read errors by one key."""
    return {"error": f"{error.description}: {error.detail}" if error.detail else error.description}

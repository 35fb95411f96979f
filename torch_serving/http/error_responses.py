"""Errors -> answers, the same for every front end."""

import json
import logging
from typing import NamedTuple

import falcon

from torch_serving.errors import (
    ClientError,
    MethodNotAllowed,
    NotFound,
    OutOfMemory,
    ServingError,
    UnexpectedError,
)

logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]  # names in lower case
    body: bytes


def error_answer(path: str, error: BaseException, request_id: bytes = b"-") -> Answer:
    """The contract's form of an error."""
    known = translate(error, request_id)
    body = json.dumps(known.document_at(path), ensure_ascii=False).encode("utf-8", "replace")
    headers = dict(known.headers)
    if isinstance(error, falcon.HTTPError):
        headers |= dict(error.headers or {})
    return Answer(
        known.status,
        [
            ("content-type", "application/json"),
            *((name.lower(), value) for name, value in headers.items()),
        ],
        body,
    )


def fill(resp: falcon.Response, answer: Answer) -> None:
    """Make it the answer of an application."""
    resp.status = answer.status
    resp.data = answer.body
    resp.set_headers(answer.headers)


def translate(error: BaseException, request_id: bytes) -> ServingError:
    """Turn a foreign error into ours. One that nobody expected is logged, and told to no client."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, falcon.HTTPNotFound):
        return NotFound("models answer at POST /serve?servable_identifier=<path>")
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        return MethodNotAllowed(dict(error.headers or {}).get("Allow", ""))
    if isinstance(error, falcon.HTTPError) and error.status_code < 500:
        return ClientError(error.description or error.title or "")
    if isinstance(error, MemoryError):
        return OutOfMemory("the server has too little memory left for this request")
    logger.error("unexpected error in request %s", request_id.decode(), exc_info=error)
    return UnexpectedError()

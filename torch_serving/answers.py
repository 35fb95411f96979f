"""Errors -> answers, the same for every front end."""

import json
import logging

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


def error_answer(
    path: str, resp: falcon.Response, error: BaseException, request_id: bytes = b"-"
) -> None:
    """Fill a response with the contract's form of an error."""
    known = translate(error, request_id)
    resp.status = known.status
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json.dumps(known.document_at(path), ensure_ascii=False).encode("utf-8", "replace")
    for name, value in known.headers.items():
        resp.set_header(name, value)
    if isinstance(error, falcon.HTTPError):
        for name, value in dict(error.headers or {}).items():
            resp.set_header(name, value)


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

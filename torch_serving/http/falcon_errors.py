"""Falcon's exceptions -> ours, and error responses -> Falcon's."""

import falcon

from torch_serving.errors import ClientError, MethodNotAllowed, NotFound
from torch_serving.http.error_responses import error_response
from torch_serving.http.other_addresses import what_is_meant
from torch_serving.telemetry.responses import Failure


def apply_error(
    resp: falcon.Response, path: str, error: BaseException, request_id: bytes = b"-"
) -> Failure:
    """Make an error the response to a request at a path; return what is logged of it."""
    response = error_response(path, translate(error, path), request_id)
    resp.status = response.status
    resp.data = response.body
    resp.set_headers(response.headers)
    return response.failure


def translate(error: BaseException, path: str) -> BaseException:
    """Turn an exception of Falcon into one of ours; return any other as it is."""
    if isinstance(error, falcon.HTTPNotFound):
        return NotFound(what_is_meant(path))
    if isinstance(error, falcon.HTTPMethodNotAllowed):
        return MethodNotAllowed(dict(error.headers or {}).get("Allow", ""))
    if isinstance(error, falcon.HTTPError) and error.status_code < 500:
        return ClientError(error.description or error.title or "")
    return error

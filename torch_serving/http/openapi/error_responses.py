"""Error responses: the errors of each stage of a request, and their schemas."""

from collections.abc import Iterable

from torch_serving import errors
from torch_serving.errors import ServingError
from torch_serving.http.openapi.number_schemas import Schema, one_of

Errors = tuple[type[ServingError], ...]

# Every operation: errors of HTTP itself, and unexpected ones.
ALWAYS: Errors = (
    errors.InvalidHttp,
    errors.ClientError,
    errors.RequestTimeout,
    errors.BodyTooLarge,
    errors.HeadTooLarge,
    errors.UnexpectedError,
    errors.OutOfMemory,
)
KEYS: Errors = (errors.Unauthorized,)
METHODS: Errors = (errors.MethodNotAllowed,)
UNKNOWN: Errors = (errors.NotFound,)
READINESS: Errors = (errors.ShuttingDown, errors.DeviceFailed)
READS_FILES: Errors = (errors.Overloaded,)  # the process may be out of file descriptors
FINDS_MODEL: Errors = (errors.InvalidServable, *READS_FILES)
PARAMETERS: Errors = (errors.InvalidParameter,)
DEVICE: Errors = (*PARAMETERS, errors.InvalidDevice)
LOADS: Errors = (
    *FINDS_MODEL,
    errors.Quarantined,
    errors.NotReady,  # its file is being written
    errors.DeviceFailed,
    errors.DeadlineExceeded,
    errors.ShuttingDown,
)
LOADS_IN_TIME: Errors = (*LOADS, *PARAMETERS)  # a client sets the deadline
NOT_LOADED: Errors = (errors.NotReady,)
INVALID: Errors = (errors.InvalidInput,)
ALL_WORKERS: Errors = (errors.WorkerFailed,)
BODY: Errors = (errors.InvalidEncoding, errors.UnsupportedMedia, errors.InvalidJson)
INPUT: Errors = (
    errors.EmptyBody,
    errors.InvalidParameter,
    errors.InvalidInput,
    errors.IncompatibleShape,
    errors.IncompatibleDtype,
)
RUN: Errors = (
    errors.InferenceFailed,
    errors.UnsupportedResult,
    errors.DeviceFailed,
    errors.Overloaded,
    errors.DeadlineExceeded,
    errors.ShuttingDown,
)
IDENTIFIER: Errors = (errors.MissingParameter, errors.RepeatedParameter)
NEGOTIATED: Errors = (errors.NotAcceptable,)

EXTRA_HEADERS: dict[int, Schema] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    405: {"Allow": {"required": True, "schema": {"type": "string"}}},
    503: {
        "Retry-After": {
            "description": "Seconds to wait before a retry.",
            "schema": {"type": "integer", "minimum": 0},
        }
    },
}
REQUEST_ID = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}


def responses(found: Iterable[type[ServingError]], is_oip: bool = False) -> dict[str, Schema]:
    """A response for each status, with the descriptions of its errors."""
    by_status: dict[int, list[str]] = {}
    for each in dict.fromkeys(found):
        by_status.setdefault(each.status, []).append(each.description)
    return {
        str(status): response(status, by_status[status], is_oip) for status in sorted(by_status)
    }


def response(status: int, descriptions: list[str], is_oip: bool) -> Schema:
    schema_of = oip_error_schema if is_oip else error_schema
    return {
        "description": "; ".join(descriptions),
        "headers": REQUEST_ID | EXTRA_HEADERS.get(status, {}),
        "content": {"application/json": {"schema": schema_of(status, descriptions)}},
    }


def error_schema(status: int, descriptions: list[str]) -> Schema:
    narrowed: Schema = {"code": {"const": status}, "description": {"enum": descriptions}}
    return {"allOf": [{"$ref": "#/components/schemas/Error"}], "properties": narrowed}


def oip_error_schema(status: int, descriptions: list[str]) -> Schema:
    """An error of the Open Inference Protocol has one key, `error`.

    A request that can't be parsed has no path, so its error may also be the server's own.
    """
    known = "|".join(descriptions)  # plain words, so nothing needs escaping in a pattern
    schema: Schema = {
        "type": "object",
        "properties": {"error": {"type": "string", "pattern": f"^({known})(: |$)"}},
        "required": ["error"],
        "additionalProperties": False,
    }
    unread = [each.description for each in ALWAYS if each.status == status < 500]
    return one_of([schema, *([error_schema(status, unread)] if unread else [])])


ERROR: Schema = {
    "type": "object",
    "properties": {
        "code": {"type": "integer", "description": "The HTTP status code."},
        "message": {"enum": ["Client Error", "Server Error"]},
        "description": {"type": "string", "description": "The kind of error."},
        "detail": {
            "type": "string",
            "description": "What is wrong, where in the body, and what is expected.",
        },
    },
    "required": ["code", "message", "description"],
    "additionalProperties": False,
}

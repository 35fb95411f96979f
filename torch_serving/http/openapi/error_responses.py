"""Which errors a request may meet, stage by stage, and what their answers look like."""

from collections.abc import Iterable

from torch_serving import errors
from torch_serving.errors import ServingError
from torch_serving.http.openapi.number_schemas import Schema, one_of

Errors = tuple[type[ServingError], ...]

# Whatever is asked for: the protocol's own refusals, and what nobody expected.
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
STOPS: Errors = (errors.ShuttingDown,)
READS_FILES: Errors = (errors.Overloaded,)  # by the process, which has only so many descriptors
KNOWS_MODEL: Errors = (errors.InvalidServable, *READS_FILES)
DEVICE: Errors = (errors.InvalidParameter, errors.InvalidDevice)
LOADS: Errors = (
    *KNOWS_MODEL,
    errors.Quarantined,
    errors.DeviceFailed,
    errors.ShuttingDown,
)
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
NEGOTIATED: Errors = (errors.UnsupportedContentType, errors.NotAcceptable)

HEADERS_OF: dict[int, Schema] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    405: {"Allow": {"required": True, "schema": {"type": "string"}}},
    503: {
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "schema": {"type": "integer", "minimum": 0},
        }
    },
}
REQUEST_ID = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}


def responses(found: Iterable[type[ServingError]], is_v2: bool = False) -> dict[str, Schema]:
    """A response for each status, which names the descriptions of its errors."""
    by_status: dict[int, list[str]] = {}
    for each in dict.fromkeys(found):
        by_status.setdefault(each.status, []).append(each.description)
    return {str(status): response(status, by_status[status], is_v2) for status in sorted(by_status)}


def response(status: int, descriptions: list[str], is_v2: bool) -> Schema:
    form = form_of_v2 if is_v2 else form_of
    return {
        "description": "; ".join(descriptions),
        "headers": REQUEST_ID | HEADERS_OF.get(status, {}),
        "content": {"application/json": {"schema": form(status, descriptions)}},
    }


def form_of(status: int, descriptions: list[str]) -> Schema:
    narrowed: Schema = {"code": {"const": status}, "description": {"enum": descriptions}}
    return {"allOf": [{"$ref": "#/components/schemas/Error"}], "properties": narrowed}


def form_of_v2(status: int, descriptions: list[str]) -> Schema:
    """The protocol's errors have one key; what can't be read has no path, and the other form."""
    known = "|".join(descriptions)  # words, none of which means anything in a pattern
    schema: Schema = {
        "type": "object",
        "properties": {"error": {"type": "string", "pattern": f"^({known})(: |$)"}},
        "required": ["error"],
        "additionalProperties": False,
    }
    unread = [each.description for each in ALWAYS if each.status == status < 500]
    return one_of([schema, *([form_of(status, unread)] if unread else [])])


ERROR: Schema = {
    "type": "object",
    "properties": {
        "code": {"type": "integer", "description": "The same as the HTTP status."},
        "message": {"enum": ["Client Error", "Server Error"]},
        "description": {"type": "string", "description": "The kind of error."},
        "detail": {
            "type": "string",
            "description": "What was wrong, where in the body, and what was expected.",
        },
    },
    "required": ["code", "message", "description"],
    "additionalProperties": False,
}

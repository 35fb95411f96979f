"""Parameters of requests: path, query and header parameters."""

from collections.abc import Iterable
from typing import Any

from torch_serving.codecs.oip.metadata import VERSION
from torch_serving.http.openapi.context import DocumentContext, LoadedMethod, takes_oip
from torch_serving.http.serve.endpoint import IDENTIFIER, TRUTHS

Parameter = dict[str, Any]


def of_path(name: str, schema: dict[str, Any], text: str = "") -> Parameter:
    described = {"description": text} if text else {}
    return {"name": name, "in": "path", "required": True, "schema": schema, **described}


def of_query(name: str, schema: dict[str, Any], text: str, required: bool = False) -> Parameter:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": text,
        "schema": schema,
    }


def of_header(name: str, schema: dict[str, Any], text: str) -> Parameter:
    return {"name": name, "in": "header", "description": text, "schema": schema}


def identifier(context: DocumentContext) -> Parameter:
    text = "The model's path below the model root, in which `/` need not be escaped."
    return of_path("identifier", context.model_name(), text)


def model(context: DocumentContext) -> Parameter:
    shown = filter(takes_oip, context.working_first())
    return identifier(context) | {"name": "model"} | with_example(shown)


def with_example(shown: Iterable[LoadedMethod]) -> dict[str, Any]:
    """The model of the body that a page shows first."""
    first = next(iter(shown), None)
    return {} if first is None else {"example": first.model}


def file_name(context: DocumentContext) -> Parameter:
    return of_path("name", {"type": "string"} | ({"enum": context.files} if context.files else {}))


def servable(context: DocumentContext) -> Parameter:
    text = "The model's path below the model root. Where there is one model, it may be left out."
    is_required = len(context.model_names) != 1
    parameter = of_query(IDENTIFIER, context.model_name(), text, required=is_required)
    only = {} if is_required else {"example": context.model_names[0]}
    return parameter | only | with_example(context.working_first())


def device(context: DocumentContext) -> Parameter:
    text = "The device to run on. Default: the model's settings, else the server's flags."
    return of_query("device", {"type": "string", "enum": context.devices}, text)


def method(context: DocumentContext) -> Parameter:
    schema = {"type": "string", "default": "forward"}
    return of_query("method", schema, "An exported method of the model.")


def invalidation(context: DocumentContext) -> Parameter:
    schema = {"type": "number", "minimum": 0, "maximum": 1, "default": 0}
    text = "The probability of dropping the model from memory and loading it again first."
    return of_query("invalidation_probability", schema, text)


def plain(context: DocumentContext) -> Parameter:
    text = "1: the result without envelopes, tensors as nested arrays. Default: as `Accept` says."
    return of_query("plain", {"type": "string", "enum": list(TRUTHS)}, text)


OF_SERVE = (servable, method, device, invalidation, plain)
VERSIONED = of_path("version", {"enum": [VERSION]})
TIMEOUT = of_header(
    "X-Request-Timeout-Ms",
    {"type": "integer", "minimum": 1, "maximum": 10**12 - 1},
    "A deadline for this request, if earlier than the server's own.",
)
TIMES = of_header(
    "X-Server-Timing",
    {"type": "string", "example": "1"},
    "1: the response has the times of the request's steps in `Server-Timing`. Others mean nothing.",
)
JSON_LENGTH = of_header(
    "Inference-Header-Content-Length",
    {"type": "integer", "minimum": 0, "maximum": 10**12 - 1},
    "The number of bytes of the body that are JSON. Default: all. 0: the body is one input, "
    "without JSON.",
)

"""The document: the operations of the registered routes, and what they refer to."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from torch_serving import __version__
from torch_serving.http.error_responses import is_oip
from torch_serving.http.openapi import (
    argument_schemas,
    error_responses,
    oip_operations,
    oip_schemas,
    operations,
    result_schemas,
)
from torch_serving.http.openapi.body_schemas import body, ok
from torch_serving.http.openapi.context import GUESSED, Facts, Known
from torch_serving.http.openapi.oip_operations import infer
from torch_serving.http.openapi.operation import Operation
from torch_serving.http.openapi.parameters import TIMEOUT

Document = dict[str, Any]
OPERATIONS = operations.OPERATIONS | oip_operations.OPERATIONS

ABOUT = """\
TorchScript models over HTTP. Every answer has an `X-Request-Id`, the client's own where it sent
one.

Schemas of models are of those that are in memory now, in any worker: `GET /models` tells which.

What is told of no operation, as it belongs to none: a path that leads nowhere is answered with 404,
`Not found`, another method with 405, `Method not allowed`, and the header `Allow`. Each resource
answers OPTIONS.
"""
REQUEST_ID = {
    "description": "The request's name in the log.",
    "required": True,
    "schema": {"type": "string"},
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}


def document(templates: Iterable[str], facts: Facts) -> Document:
    """Describe the routes that are registered, by their templates."""
    secured: Document = {}
    if facts.needs_key:
        secured["security"] = [{name: []} for name in SCHEMES]
    return {
        "openapi": "3.1.0",
        "info": {"title": "torch-serving", "version": __version__, "description": ABOUT},
        "paths": paths(templates, facts),
        "components": {
            "schemas": schemas(facts),
            "headers": {"X-Request-Id": REQUEST_ID},
            "responses": no_operation(),
            **({"securitySchemes": SCHEMES} if facts.needs_key else {}),
        },
        **secured,
    }


def paths(templates: Iterable[str], facts: Facts) -> Document:
    found: Document = {}
    for template in templates:
        for operation in OPERATIONS[template]:
            found.setdefault(operation.path, {})[operation.method] = described(operation, facts)
    for path, operation_of_model in model_paths(facts):
        found[path] = {"post": operation_of_model}
    return found


def described(operation: Operation, facts: Facts) -> Document:
    asked = operation.body(facts)
    parameters = operation.parameters(facts)
    is_open = not facts.needs_key or operation.path in facts.open_paths
    errors = (
        *error_responses.ALWAYS,
        *(() if is_open else error_responses.KEYS),
        *operation.errors,
    )
    is_v2 = is_oip(operation.path)
    return {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": asked} if asked else {}),
        "responses": {
            "200": ok(operation.answers(facts), error_responses.REQUEST_ID),
            **error_responses.responses(errors, is_v2),
        },
        **({"security": []} if facts.needs_key and is_open else {}),
    }


def model_paths(facts: Facts) -> Iterator[tuple[str, Document]]:
    """Inference by the Open Inference Protocol, with the inputs of each model that is in memory."""
    for known in facts.known:
        if known.method == "forward" and oip_schemas.takes_tensors(known.signature):
            yield f"/v2/models/{quote(known.model)}/infer", model_infer(known, facts)


def model_infer(known: Known, facts: Facts) -> Document:
    shared = described(infer("", f"infer.{known.key}"), facts)
    shown = {known.key: {"description": GUESSED, "value": oip_schemas.example(known.signature)}}
    asked = body(argument_schemas.reference(f"{known.key}.inputs"), examples=shown)
    return shared | {
        "summary": f"Run {known.model}",
        "description": f"`{known.signature}`",
        "parameters": [TIMEOUT],
        "requestBody": asked,
    }


def schemas(facts: Facts) -> Document:
    inputs = {
        f"{each.key}.inputs": oip_schemas.model_request(each.signature)
        for each in facts.known
        if each.method == "forward" and oip_schemas.takes_tensors(each.signature)
    }
    return {
        "Error": error_responses.ERROR,
        **argument_schemas.components(),
        **result_schemas.components(),
        **oip_schemas.components(),
        **facts.components(),
        **inputs,
    }


def no_operation() -> Document:
    """Answers to what is no operation."""
    return {
        each.__name__: error_responses.response(each.status, [each.description], is_v2=False)
        for each in (*error_responses.UNKNOWN, *error_responses.METHODS)
    }

"""The OpenAPI document: the operations of all routes, and their components."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from torch_serving import __version__
from torch_serving.http.error_responses import is_oip
from torch_serving.http.oip.operations import infer
from torch_serving.http.openapi import (
    argument_schemas,
    error_responses,
    oip_schemas,
    result_schemas,
)
from torch_serving.http.openapi.body_schemas import body, ok
from torch_serving.http.openapi.context import (
    DocumentContext,
    LoadedMethod,
    oip_example,
    takes_oip,
)
from torch_serving.http.openapi.operation import Operation
from torch_serving.http.openapi.parameters import TIMEOUT, TIMES
from torch_serving.http.openapi.tensor_schemas import reference

Document = dict[str, Any]

ABOUT = """\
Inference with TorchScript models over HTTP. Every response has an `X-Request-Id` header: the one
that the client sent, or a new one.

The document has schemas of those models that are in memory in at least one worker. `GET /models`
lists them.

These responses are not listed with the operations: an unknown path gets 404 `Not found`. An
unsupported method gets 405 `Method not allowed` with an `Allow` header. Every path supports
OPTIONS, and HEAD where it supports GET.
"""
REQUEST_ID = {
    "description": "Identifies the request in the access log.",
    "required": True,
    "schema": {"type": "string"},
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}


def document(operations: Iterable[Operation], context: DocumentContext) -> Document:
    """Describe a server that has these operations."""
    secured: Document = {}
    if context.needs_key:
        secured["security"] = [{name: []} for name in SCHEMES]
    return {
        "openapi": "3.1.0",
        "info": {"title": "torch-serving", "version": __version__, "description": ABOUT},
        "servers": [{"url": context.root_path or "."}],  # relative to this document
        "paths": paths(operations, context),
        "components": {
            "schemas": schemas(context),
            "headers": {"X-Request-Id": REQUEST_ID},
            "responses": common_responses(),
            **({"securitySchemes": SCHEMES} if context.needs_key else {}),
        },
        **secured,
    }


def paths(operations: Iterable[Operation], context: DocumentContext) -> Document:
    found: Document = {}
    for operation in operations:
        found.setdefault(operation.path, {})[operation.method] = described(operation, context)
    for path, operation_of_model in model_paths(context):
        found[path] = {"post": operation_of_model}
    return found


def described(operation: Operation, context: DocumentContext) -> Document:
    request_body = operation.body(context)
    parameters = operation.parameters(context)
    is_open = not context.needs_key or operation.path in context.open_paths
    errors = (
        *error_responses.ALWAYS,
        *(() if is_open else error_responses.KEYS),
        *operation.errors,
    )
    in_oip = is_oip(operation.path)
    return {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": request_body} if request_body else {}),
        "responses": {
            "200": ok(operation.content(context), error_responses.REQUEST_ID),
            **error_responses.responses(errors, in_oip),
        },
        **({"security": []} if context.needs_key and is_open else {}),
    }


def model_paths(context: DocumentContext) -> Iterator[tuple[str, Document]]:
    """Inference by the Open Inference Protocol: a path for each loaded model, with its inputs."""
    for each in context.methods:
        if takes_oip(each):
            yield f"/v2/models/{quote(each.model)}/infer", model_infer(each, context)


def model_infer(loaded: LoadedMethod, context: DocumentContext) -> Document:
    key, signature = loaded.key, loaded.signature
    examples = {key: oip_example(loaded)}
    shared = described(infer("", f"infer.{key}"), context)
    return shared | {
        "summary": f"Run {loaded.model}",
        "description": f"`{signature}`",
        "parameters": [TIMEOUT, TIMES],
        "requestBody": body(reference(f"{key}.inputs"), examples=examples),
    }


def schemas(context: DocumentContext) -> Document:
    inputs = {
        f"{each.key}.inputs": oip_schemas.model_request(each.signature)
        for each in context.methods
        if takes_oip(each)
    }
    return {
        "Error": error_responses.ERROR,
        **argument_schemas.components(),
        **result_schemas.components(),
        **oip_schemas.components(),
        **context.components(),
        **inputs,
    }


def common_responses() -> Document:
    """Responses to requests that belong to no operation: unknown paths and methods."""
    return {
        each.__name__: error_responses.response(each.status, [each.description], is_oip=False)
        for each in (*error_responses.UNKNOWN, *error_responses.METHODS)
    }

"""An operation of the OpenAPI document: a method of a path."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch_serving.http.openapi.body_schemas import json_of
from torch_serving.http.openapi.context import DocumentContext
from torch_serving.http.openapi.error_responses import Errors
from torch_serving.http.openapi.number_schemas import Schema

INFERENCE, MODELS_TAG, SERVER, PROTOCOL, DOCS = (
    "inference",
    "models",
    "server",
    "Open Inference Protocol",
    "documentation",
)
FromContext = Callable[[DocumentContext], Any]


class Operation(NamedTuple):
    """`parameters`, `body` and `content` are made from the context of each document."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    content: FromContext
    errors: Errors = ()
    parameters: FromContext = lambda context: []
    body: FromContext = lambda context: None
    description: str = ""


def get(
    path: str, name: str, tag: str, summary: str, content: FromContext, **others: Any
) -> Operation:
    return Operation("get", path, name, tag, summary, content, **others)


def post(
    path: str, name: str, tag: str, summary: str, content: FromContext, **others: Any
) -> Operation:
    return Operation("post", path, name, tag, summary, content, **others)


def always(schema: Schema) -> FromContext:
    return lambda context: json_of(schema)

"""What may be asked of a path: one row of the tables of operations."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch_serving.http.openapi.body_schemas import json_of
from torch_serving.http.openapi.context import Facts
from torch_serving.http.openapi.error_responses import Errors
from torch_serving.http.openapi.number_schemas import Schema

INFERENCE, MODELS_TAG, SERVER, PROTOCOL, DOCS = (
    "inference",
    "models",
    "server",
    "Open Inference Protocol",
    "documentation",
)
Make = Callable[[Facts], Any]


class Operation(NamedTuple):
    """`parameters`, `body` and `content` may depend on what the server has: they are asked then."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answers: Make
    errors: Errors = ()
    parameters: Make = lambda facts: []
    body: Make = lambda facts: None
    description: str = ""


def get(path: str, name: str, tag: str, summary: str, answers: Make, **others: Any) -> Operation:
    return Operation("get", path, name, tag, summary, answers, **others)


def post(path: str, name: str, tag: str, summary: str, answers: Make, **others: Any) -> Operation:
    return Operation("post", path, name, tag, summary, answers, **others)


def always(schema: Schema) -> Make:
    return lambda facts: json_of(schema)

"""An example of a request as people read it: nested lists in the place of tensors' envelopes."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from torch_serving.errors import ServingError

if TYPE_CHECKING:  # torch takes a second
    from torch_serving.models.servable import Method

MAX_SHOWN = 300  # characters of a request


def plain_example(method: "Method", example: dict[str, Any]) -> dict[str, Any]:
    """Return a request with nested lists for tensors, if it is short and read as the same.

    Else as it is: where values are left out, the shape still shows.
    """
    from torch_serving.engine.batch_tensors import is_close

    plain = nested(example)
    if len(text_of(plain)) > MAX_SHOWN:
        return example
    with suppress(ServingError, ValueError):
        expected = method.decode(text_of(example).encode())
        if is_close(method.decode(text_of(plain).encode()), expected):
            return dict(plain)
    return example


def nested(value: Any) -> Any:
    """Replace the envelopes of tensors by nested lists."""
    if isinstance(value, list):
        return [nested(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "tensor" and value.keys() >= {"shape", "value"}:
        return in_shape(value["value"], value["shape"])
    return {key: nested(each) for key, each in value.items()}


def in_shape(values: list[Any], shape: list[int]) -> Any:
    if not shape:
        return values[0]
    size = len(values) // shape[0] if shape[0] else 0
    parts = (values[at * size : (at + 1) * size] for at in range(shape[0]))
    return [in_shape(part, shape[1:]) for part in parts]


def text_of(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)

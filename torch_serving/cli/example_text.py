"""An example of a request as people read it: plain values where they do, long ones shortened."""

import json
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from torch_serving.errors import ServingError
from torch_serving.server.curl import serve_url

if TYPE_CHECKING:  # torch takes a second
    from torch_serving.models.servable import Method

ADDRESS = "http://127.0.0.1:8888"
MAX_SHOWN = 300  # characters of a request
MAX_VALUES = 3  # of a list that is shortened


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


def shortened(text: str, document: Any) -> str:
    """Return the text of a request; of a long one, with … for most values of its lists."""
    return text if len(text) <= MAX_SHOWN else text_of(short(document)).replace('"…"', "…")


def short(value: Any) -> Any:
    if isinstance(value, list):
        parts = [short(each) for each in value[:MAX_VALUES]]
        return [*parts, "…"] if len(value) > MAX_VALUES else parts
    return {key: short(each) for key, each in value.items()} if isinstance(value, dict) else value


def example_lines(model: str, name: str, method: str, document: Any) -> list[str]:
    """Return a request, and a command that sends it; `model` is the path of the model's file."""
    text = text_of(document)
    address = f'"{serve_url(ADDRESS, name, method)}"'
    if len(text) <= MAX_SHOWN:
        command = f"curl {address} --data {shlex.quote(text)}"
    else:
        chosen = "" if method == "forward" else f" {method}"
        whole = f"torch-serving inspect {shlex.quote(model)} --example{chosen}"
        command = f"{whole} | curl {address} --data-binary @-"
    return [f"  example: {shortened(text, document)}", f"  {command}"]

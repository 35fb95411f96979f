"""The body of a response -> the values that the model returned, in the same nesting."""

import json
from collections import namedtuple
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from torch_serving.client import safetensors
from torch_serving.client.arrays import BFLOAT16, MAKERS
from torch_serving.client.errors import InvalidResponse
from torch_serving.client.exchange import Response, shown
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory
from torch_serving.errors import InvalidInput, ServingError

Make = Callable[[Any], Any]
NUMBERS = {"int64": int, "float64": float, "bool": bool}


def decoder_of(make: Make) -> Decoder:
    """Reads a whole response; values of Any are all but named tuples and enumerations."""
    text = TypeSpec("str", "str")
    arguments = [
        Argument("code", TypeSpec("int", "int")),
        Argument("message", text),
        Argument("description", text),
        Argument("result", TypeSpec("any", "Any")),
    ]
    return Decoder(arguments, ValueFactory(make, lambda bits: make(bits.view(BFLOAT16))))


DECODERS = {kind: decoder_of(make) for kind, make in MAKERS.items()}


def result_of(response: Response, kind: str) -> Any:
    """The result, with `numpy` arrays or `torch` tensors. Raises InvalidResponse."""
    if response.headers.get("content-type", "").startswith(safetensors.MEDIA_TYPE):
        return nested_result(response, MAKERS[kind])
    try:
        return DECODERS[kind].decode(response.body)[3]
    except InvalidInput:
        return result_by_names(response, MAKERS[kind])
    except ServingError:
        raise invalid(response, f"expected its JSON, got {shown(response)}") from None


def result_by_names(response: Response, make: Make) -> Any:
    """A result whose types the decoder knows only from a schema."""
    try:
        return value_of(json.loads(response.body)["result"], lambda each: make(array_of(each)))
    except (ValueError, TypeError, LookupError) as error:
        raise invalid(response, f"{type(error).__name__}: {error}") from None


def nested_result(response: Response, make: Make) -> Any:
    """A result whose tensors are views of the body, and whose nesting is in its metadata."""
    try:
        arrays, metadata = safetensors.read(response.body)
        return value_of(json.loads(metadata["result"]), lambda each: make(arrays[each["name"]]))
    except (ValueError, TypeError, LookupError) as error:
        raise invalid(response, f"{type(error).__name__}: {error}") from None


def invalid(response: Response, problem: str) -> InvalidResponse:
    request_id = response.headers.get("x-request-id", "")
    return InvalidResponse(
        "Unreadable response", problem, status=response.status, request_id=request_id
    )


def value_of(value: Any, make: Make) -> Any:
    """A value of JSON in envelopes; `make` makes a tensor of its envelope."""
    if isinstance(value, list):
        return [value_of(each, make) for each in value]
    if value is None or value["type"] == "none":
        return None
    kind = value["type"]
    if kind == "tensor":
        return make(value)
    inner = value["value"]
    if kind == "scalar":
        return number_of(value["data_type"], inner)
    if kind == "named_tuple":
        made = {key: value_of(each, make) for key, each in inner.items()}
        return type_of(value["name"], tuple(made))(*made.values())
    if kind == "generic_dict":
        return dict_of(value, make)
    if kind in ("string", "enum"):
        return inner
    raise ValueError(f"an envelope of type {kind!r}")


def array_of(envelope: dict[str, Any]) -> Any:
    name, numbers = envelope["data_type"], envelope["value"]
    if name == "bfloat16":
        return as_bfloat16(np.array(numbers, np.float32)).reshape(envelope["shape"])
    dtype = np.dtype(name)
    if dtype.kind == "c":  # pairs of real and imaginary part
        parts = np.array(numbers, np.float32 if dtype.itemsize == 8 else np.float64)
        return parts.view(dtype).reshape(envelope["shape"])
    return np.array(numbers, dtype).reshape(envelope["shape"])


def as_bfloat16(numbers: Any) -> Any:
    """The upper half of each float32, which is all that bfloat16 has."""
    return (numbers.view(np.uint32) >> 16).astype(np.uint16).view(BFLOAT16)


def number_of(data_type: str, value: Any) -> Any:
    if data_type == "complex128":
        return complex(float(value[0]), float(value[1]))
    return NUMBERS[data_type](value)


def dict_of(envelope: dict[str, Any], make: Make) -> dict[Any, Any]:
    key_type, inner = envelope.get("key_type", "str"), envelope["value"]
    if key_type == "str":
        return {key: value_of(each, make) for key, each in inner.items()}
    return {key_of(key_type, key): value_of(each, make) for key, each in inner}


def key_of(key_type: str, key: Any) -> Any:
    """A key that Python can hash: of a tensor, its number or numbers."""
    if key_type == "tensor":
        numbers = array_of(key).tolist()
        return tuple(numbers) if isinstance(numbers, list) else numbers
    return complex(*key) if key_type == "complex" else NUMBERS.get(f"{key_type}64", bool)(key)


@lru_cache(256)
def type_of(name: str, fields: tuple[str, ...]) -> Any:
    """The class of a named tuple; equal ones share it."""
    return namedtuple(name, fields)

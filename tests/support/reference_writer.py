"""The contract's writer once more: a value -> the JSON that it becomes, as `json` reads it."""

import math
from typing import Any

import numpy as np

from tests.support.reference_values import COMPLEX, FLOATS, Tensor, rounded


def write(value: Any) -> Any:
    if value is None:
        return {"type": "none"}
    if isinstance(value, Tensor):
        head = {"type": "tensor", "shape": list(value.array.shape)}
        return head | {"value": numbers_of(value), "data_type": value.data_type}
    if isinstance(value, bool):
        return {"type": "scalar", "data_type": "bool", "value": value}
    if isinstance(value, int):
        return {"type": "scalar", "data_type": "int64", "value": value}
    if isinstance(value, float | complex):
        name = "float64" if isinstance(value, float) else "complex128"
        return {"type": "scalar", "data_type": name, "value": key_of(value)}
    if isinstance(value, str):
        return {"type": "string", "value": value}
    if not isinstance(value, dict):
        return [write(element) for element in value]
    if all(isinstance(key, str) for key in value):
        members = {key: write(member) for key, member in value.items()}
        return {"type": "generic_dict", "value": members}
    names = {bool: "bool", int: "int", float: "float", complex: "complex", Tensor: "tensor"}
    key_type = names[type(next(iter(value)))]
    pairs = [[key_of(key), write(member)] for key, member in value.items()]
    return {"type": "generic_dict", "key_type": key_type, "value": pairs}


def key_of(key: Any) -> Any:
    """A key, or the number in an envelope."""
    if isinstance(key, Tensor):
        return write(key)
    if isinstance(key, complex):
        return [key_of(key.real), key_of(key.imag)]
    return number_of(key, "float64") if isinstance(key, float) else key


def numbers_of(tensor: Tensor) -> list[Any]:
    data_type = COMPLEX.get(tensor.data_type, tensor.data_type)
    array = tensor.array.flatten()
    if tensor.data_type == "bfloat16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    elif tensor.data_type in COMPLEX:
        array = array.view(data_type)
    if data_type not in FLOATS:
        return array.tolist()
    return [number_of(number, data_type) for number in array.tolist()]


def number_of(number: float, data_type: str) -> float | str:
    """The number of the fewest digits that reads back as this one of its type."""
    if not math.isfinite(number):
        return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
    for digits in range(17):
        text = f"{number:.{digits}e}"
        try:
            if rounded(text, *FLOATS[data_type]) == number:
                return float(text)
        except ValueError:  # it was rounded beyond the largest
            continue
    raise AssertionError(number)

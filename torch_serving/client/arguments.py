"""Values of the caller -> values that a body can be written of."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from torch_serving.client.arrays import is_device, is_tensor, of_tensor, sendable
from torch_serving.client.image import Image, is_picture

PLAIN = (bool, int, float, complex, str, type(None))


def prepared(value: Any, where: str) -> Any:
    """A value made of arrays that can be sent, plain values, images and containers.

    Raises TypeError, which says where, for a value of another type.
    """
    if isinstance(value, np.ndarray):
        return string_lists(value) if value.dtype.kind == "U" else sendable(value, where)
    if isinstance(value, np.generic):
        value = value.item()  # of what Python has no number for, itself
    if isinstance(value, Enum):
        return value
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list | tuple):
        return prepared_sequence(value, where)
    if isinstance(value, Mapping):
        return {key: prepared(each, f"{where}[{key!r}]") for key, each in value.items()}
    return prepared_object(value, where)


def string_lists(array: Any) -> Any:
    """An array of strings as lists of them."""
    return array.tolist()


def prepared_sequence(values: Any, where: str) -> Any:
    made = [prepared(each, f"{where}[{index}]") for index, each in enumerate(values)]
    if hasattr(values, "_fields"):
        return type(values)(*made)
    return tuple(made) if isinstance(values, tuple) else made


def prepared_object(value: Any, where: str) -> Any:
    if is_tensor(value):
        return of_tensor(value, where)
    if is_device(value):
        return str(value)
    if is_picture(value) or isinstance(value, Path):
        return Image(value)
    if isinstance(value, Image):
        return value
    raise TypeError(
        f"{where}: a value of type {type(value).__name__} can't be sent; send an array, a tensor, "
        "a number, a string, None, an image, or a list, tuple or dictionary of them"
    )


def holds_image(value: Any) -> bool:
    """Whether there is an image anywhere in a prepared value."""
    if isinstance(value, dict):
        return any(map(holds_image, value.values()))
    return isinstance(value, Image) or (
        isinstance(value, list | tuple) and any(map(holds_image, value))
    )

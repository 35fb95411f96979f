"""Arguments that became constants of a model: a request may leave them out, or repeat them."""

import json
import struct
from typing import Any

Constant = bool | int | float | str | None


def is_constant(value: Any, constant: Constant) -> bool:
    """Whether a value is a constant; a float may have been rounded to float32."""
    if isinstance(constant, float) and isinstance(value, float):
        return same_float(value, constant)
    return type(value) is type(constant) and bool(value == constant)


def same_float(value: float, constant: float) -> bool:
    if constant != constant:
        return value != value
    return value == constant or value == rounded(constant)


def rounded(value: float) -> float:
    """A float as float32 holds it."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return value


def expected_constant(constant: Constant) -> str:
    """What an error says was expected."""
    return f"{written(constant)}, which is fixed in the model"


def written(constant: Constant) -> str:
    """A constant as a request writes it."""
    if isinstance(constant, float) and constant - constant != 0:
        return f'"{str(constant).replace("inf", "Infinity").replace("nan", "NaN")}"'
    return json.dumps(constant, ensure_ascii=False)

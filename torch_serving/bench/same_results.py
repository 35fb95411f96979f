"""Whether two answers say the same, but for the rounding of floats."""

import json
import math
from typing import Any

RELATIVE, ABSOLUTE = 1e-3, 1e-5  # batches and threads add in another order


def is_same(answer: bytes, expected: bytes, only_structure: bool = False) -> bool:
    """Compare two bodies; `only_structure` is for models that draw or keep numbers."""
    if answer == expected:
        return True
    try:
        return is_close(json.loads(answer), json.loads(expected), only_structure)
    except ValueError:  # a binary form
        return only_structure and len(answer) == len(expected)


def is_close(value: Any, expected: Any, only_structure: bool) -> bool:
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(
            is_close(value[key], expected[key], only_structure) for key in value
        )
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(
            is_close(*pair, only_structure) for pair in zip(value, expected, strict=True)
        )
    if isinstance(value, float) and isinstance(expected, int | float):
        return only_structure or math.isclose(value, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if isinstance(value, int | float) and isinstance(expected, float):
        return is_close(expected, value, only_structure)
    return type(value) is type(expected) and (only_structure or bool(value == expected))

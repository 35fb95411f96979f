"""JSON Schema of numbers: the exact range of each data type."""

from fractions import Fraction
from typing import Any

import torch

from torch_serving.codecs.json._decoder import MAX_RANK
from torch_serving.codecs.oip.datatypes import DATATYPES

Schema = dict[str, Any]

COMPLEX = {"complex64": "float32", "complex128": "float64"}
ELEMENTS = (*(each.json for each in DATATYPES.values()), *COMPLEX)
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
EXCLUSIVE = ("exclusiveMinimum", "exclusiveMaximum")
EXACT_IN_FLOAT64 = 1 << 53  # beyond it, some integers have no float64


def one_of(branches: list[Schema]) -> Schema:
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def element(data_type: str) -> Schema:
    """One number of a data type."""
    data_type = COMPLEX.get(data_type, data_type)
    dtype = getattr(torch, data_type)
    if dtype is torch.bool:
        return {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 1}]}
    if not dtype.is_floating_point:
        limits = torch.iinfo(dtype)
        return {"type": "integer", "minimum": limits.min, "maximum": limits.max}
    return {"anyOf": [finite(dtype), {"enum": list(NOT_FINITE)}]}


def finite(dtype: torch.dtype) -> Schema:
    """Numbers that round to a finite value: less than half a step beyond the largest one."""
    if dtype is torch.float64:
        return {"type": "number"}  # a JSON number can't express a bound beyond float64
    limits = torch.finfo(dtype)
    bound = limits.max * (1 + limits.eps / 2 / (2 - limits.eps))
    # The bound rounds to infinity, so exclude it, unless its decimal text is below its exact value.
    rounds_down = Fraction(repr(bound)) < Fraction(bound)
    lowest, highest = ("minimum", "maximum") if rounds_down else EXCLUSIVE
    return {"type": "number", lowest: -bound, highest: bound}


def nested(item: Schema, name: str) -> dict[str, Schema]:
    """A number, or nested arrays of it: a component, as it refers to itself."""
    again = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return {name: {"anyOf": [item, again]}}


DIMENSIONS: Schema = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0},
    "maxItems": MAX_RANK,
    "description": "The dimensions. Their product is the number of elements.",
}
SHAPE: Schema = {"$ref": "#/components/schemas/Shape"}

"""JSON Schema of numbers, by data type: what each can hold, and nothing else."""

from fractions import Fraction
from typing import Any

import torch

from torch_serving.codecs.oip.datatypes import DATATYPES

Schema = dict[str, Any]

COMPLEX = {"complex64": "float32", "complex128": "float64"}
ELEMENTS = (*(each.json for each in DATATYPES.values()), *COMPLEX)
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
EXCLUSIVE = ("exclusiveMinimum", "exclusiveMaximum")
MAX_RANK = 32
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
    """What is rounded to a number of the type: up to half a step beyond the largest."""
    if dtype is torch.float64:
        return {"type": "number"}  # and nothing can be said in numbers of what is beyond it
    limits = torch.finfo(dtype)
    bound = limits.max * (1 + limits.eps / 2 / (2 - limits.eps))
    # half-way is too far, but as it is written here, it may be a little less
    written_is_less = Fraction(repr(bound)) < Fraction(bound)
    lowest, highest = ("minimum", "maximum") if written_is_less else EXCLUSIVE
    return {"type": "number", lowest: -bound, highest: bound}


def nested(item: Schema, name: str) -> dict[str, Schema]:
    """A number, or arrays of it, nested at will: two components, as one needs the other."""
    again = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return {name: {"anyOf": [item, again]}}


DIMENSIONS: Schema = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0},
    "maxItems": MAX_RANK,
    "description": "The dimensions. Their product is how many numbers there are.",
}
SHAPE: Schema = {"$ref": "#/components/schemas/Shape"}  # of those, which stand in many places

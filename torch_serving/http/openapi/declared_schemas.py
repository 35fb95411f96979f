"""JSON Schema of tensors of which data type or shape is declared.

JSON Schema can't say that dimensions of one name agree, or how many numbers a shape with open
dimensions holds.
"""

import math

from torch_serving.http.openapi.number_schemas import COMPLEX, Schema, element
from torch_serving.tensor_constraint import Dimension


def size(dimension: Dimension) -> Schema:
    """One dimension in a list of them."""
    limits: Schema = {"type": "integer", "minimum": dimension.least}
    return limits if dimension.most is None else limits | {"maximum": dimension.most}


def dimensions(shape: tuple[Dimension, ...]) -> Schema:
    """A shape as requests spell it."""
    count = {"minItems": len(shape), "maxItems": len(shape)}
    sizes: Schema = {"prefixItems": list(map(size, shape))} if shape else {}
    return {"type": "array", **sizes, **count}


def nested(shape: tuple[Dimension, ...], data_type: str) -> Schema:
    """Numbers that are nested as a shape says."""
    schema = element(data_type)
    least = 0  # an empty array says nothing of the dimensions in it
    if data_type in COMPLEX:
        schema, least = array(schema, Dimension(2, 2)), 1
    for dimension in reversed(shape):
        schema = array(schema, dimension._replace(least=max(dimension.least, least)))
        least = 1
    return schema


def array(items: Schema, dimension: Dimension) -> Schema:
    limits = {"minItems": dimension.least}
    most = {} if dimension.most is None else {"maxItems": dimension.most}
    return {"type": "array", "items": items, **limits, **most}


def flat(shape: tuple[Dimension, ...], data_type: str) -> Schema:
    """The same numbers in one array, which needs the shape beside it."""
    parts = 2 if data_type in COMPLEX else 1
    count = Dimension()
    if all(dimension.is_fixed for dimension in shape):
        elements = parts * math.prod(dimension.least for dimension in shape)
        count = Dimension(elements, elements)
    return array(element(data_type), count)


def envelopes(shape: tuple[Dimension, ...], data_type: str, needs_type: bool) -> list[Schema]:
    """A tensor in an envelope: nested, or flat and with its shape."""
    properties = {
        "type": {"const": "tensor"},
        "shape": dimensions(shape),
        "data_type": {"const": data_type},
    }
    required = ["type", "value", *(["data_type"] if needs_type else [])]
    found: list[Schema] = []
    for value, more in ((nested(shape, data_type), []), (flat(shape, data_type), ["shape"])):
        found.append(
            {
                "title": data_type,
                "type": "object",
                "properties": {**properties, "value": value},
                "required": [*required, *more],
                "additionalProperties": False,
            }
        )
    # a complex number alone is a pair, which reads as an array of one
    return found[1:] if data_type in COMPLEX and not shape else found

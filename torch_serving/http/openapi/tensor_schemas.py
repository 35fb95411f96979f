"""JSON Schema of tensors and images in requests to `/serve`.

JSON Schema can't say that declared dimensions of one name agree, or how many numbers a shape with
open dimensions holds.
"""

import math
from typing import Any

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.json.images import DATA_TYPES, LAYOUTS, MODES
from torch_serving.http.openapi.number_schemas import COMPLEX, ELEMENTS, SHAPE, Schema, element
from torch_serving.tensor_constraint import Dimension, TensorConstraint

PREFIX = "#/components/schemas/"


def reference(name: str) -> Schema:
    return {"$ref": PREFIX + name}


def envelope(kind: str, value: Schema, required: bool = True, **others: Schema) -> Schema:
    """An object with a `type` key, and no others than these."""
    needed = ["type", *(["value"] if required else [])]
    properties = {"type": {"const": kind}, "value": value, **others}
    closed = {"additionalProperties": False}
    return {"type": "object", "properties": properties, "required": needed, **closed}


def tensor(spec: TypeSpec, bare: bool) -> list[Schema]:
    known = [reference("Tensor"), reference("Image")]
    constraint = spec.constraint
    if constraint is None:
        return [*known, reference("float32")] if bare else known
    if constraint.is_declared:
        known = [*declared_tensor(constraint), *declared_image(constraint)]
    if not bare:
        return known
    if constraint.shape is None:
        return [*known, reference(constraint.plain_type)]
    return [*known, nested(constraint.shape, constraint.plain_type)]


def declared_tensor(constraint: TensorConstraint) -> list[Schema]:
    data_types = [constraint.data_type] if constraint.data_type else list(ELEMENTS)
    default = constraint.data_type or "float32"
    if constraint.shape is None:
        return [tensor_of(each, default) for each in data_types]
    return [
        schema
        for each in data_types
        for schema in envelopes(constraint.shape, each, each != default)
    ]


def declared_image(constraint: TensorConstraint) -> list[Schema]:
    """An image, if its pixels can be such a tensor."""
    if constraint.shape is not None and len(constraint.shape) not in (3, 4):
        return []
    if constraint.data_type not in ("", *DATA_TYPES):
        return []
    schema = image()
    if constraint.data_type:
        schema["properties"]["data_type"] = {"const": constraint.data_type}
    return [schema]


def tensor_of(data_type: str, default: str = "float32") -> Schema:
    schema = envelope("tensor", reference(data_type), shape=SHAPE, data_type={"const": data_type})
    needed = [] if data_type == default else ["data_type"]
    return {"title": data_type, **schema, "required": [*schema["required"], *needed]}


def image() -> Schema:
    others: dict[str, Any] = {
        "mode": {"enum": list(MODES), "default": "RGB"},
        "layout": {"enum": list(LAYOUTS), "default": "CHW"},
        "batch": {
            "type": "boolean",
            "default": False,
            "description": "Adds a leading dimension of 1.",
        },
        "data_type": {"enum": list(DATA_TYPES), "default": "uint8"},
    }
    encoded = {
        "type": "string",
        "contentEncoding": "base64",
        "description": "PNG, JPEG, WebP, GIF or BMP in base64, or as a data URL.",
    }
    return envelope("image", encoded, **others)


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

"""JSON Schema of the results of `/serve`: every value in an envelope, tensors flat."""

from collections.abc import Callable

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.http.openapi.argument_schemas import KEY_TYPES, fixed_array
from torch_serving.http.openapi.number_schemas import (
    COMPLEX,
    ELEMENTS,
    NOT_FINITE,
    SHAPE,
    Schema,
    element,
    one_of,
)
from torch_serving.http.openapi.tensor_schemas import dimensions, reference

WRITTEN = {"int": "int64", "float": "float64", "bool": "bool", "complex": "complex128"}


def exact_envelope(kind: str, **others: Schema) -> Schema:
    """An envelope of a result, with exactly these keys."""
    properties: dict[str, Schema] = {"type": {"const": kind}, **others}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def result(spec: TypeSpec) -> Schema:
    """The schema of a result of a type."""
    if spec.kind in WRITTEN:
        return scalar(WRITTEN[spec.kind])
    return SCHEMA_OF_KIND[spec.kind](spec)


def scalar(data_type: str) -> Schema:
    number = element(data_type)
    if data_type in COMPLEX:
        number = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    return exact_envelope("scalar", data_type={"const": data_type}, value=number)


def tensor(spec: TypeSpec) -> Schema:
    """A tensor of a result, of which the program may tell type and shape."""
    constraint = spec.constraint
    if constraint is None or constraint.shape is None or not constraint.data_type:
        return reference("TensorResult")
    return exact_envelope(
        "tensor",
        shape=dimensions(constraint.shape),
        value={"type": "array", "items": element(constraint.data_type)},
        data_type={"const": constraint.data_type},
    )


def named(values: Schema) -> Schema:
    return exact_envelope("named_tuple", name={"type": "string"}, value=values)


def tuple_of(spec: TypeSpec) -> Schema:
    parts = [result(part) for part in spec.parts]
    if not spec.names:
        return fixed_array(parts, len(parts))
    fields = dict(zip(spec.names, parts, strict=True))
    return named({"type": "object", "properties": fields, "required": list(spec.names)})


def dictionary(spec: TypeSpec) -> Schema:
    keys, values = spec.parts
    if spec.closed:
        members = {key: result(part) for key, part in (spec.members or {}).items()}
        value = {"type": "object", "properties": members, "required": list(members)}
        return exact_envelope("generic_dict", value=value | {"additionalProperties": False})
    if keys.kind == "str":
        return with_string_keys(result(values))
    return with_pairs(result(values), [keys.kind])


def with_string_keys(item: Schema) -> Schema:
    return exact_envelope("generic_dict", value={"type": "object", "additionalProperties": item})


def with_pairs(item: Schema, key_types: list[str]) -> Schema:
    pairs: Schema = {"type": "array", "items": fixed_array([{}, item], 2)}
    return exact_envelope("generic_dict", key_type={"enum": key_types}, value=pairs)


TEXT = exact_envelope("string", value={"type": "string"})
NONE = exact_envelope("none")
ENUM = exact_envelope("enum", value={"type": "string"})
ANY = reference("Result")

SCHEMA_OF_KIND: dict[str, Callable[[TypeSpec], Schema]] = {
    "tensor": tensor,
    "constant": lambda spec: result(spec.parts[0]),
    "number": lambda _: one_of([scalar(each) for each in WRITTEN.values()]),
    "str": lambda _: TEXT,
    "device": lambda _: TEXT,
    "enum": lambda spec: exact_envelope("enum", value={"enum": list(spec.names)}),
    "none": lambda _: NONE,
    "any": lambda _: ANY,
    "optional": lambda spec: one_of([NONE, result(spec.parts[0])]),
    "union": lambda spec: one_of([result(part) for part in spec.parts]),
    "list": lambda spec: {"type": "array", "items": result(spec.parts[0])},
    "tuple": tuple_of,
    "dict": dictionary,
}


def components() -> dict[str, Schema]:
    tensors = [
        exact_envelope(
            "tensor",
            shape=SHAPE,
            value={"type": "array", "items": element(data_type)},
            data_type={"const": data_type},
        )
        for data_type in ELEMENTS
    ]
    anything: list[Schema] = [
        reference("TensorResult"),
        {"type": "array", "items": ANY},
        *(scalar(data_type) for data_type in WRITTEN.values()),
        TEXT,
        NONE,
        ENUM,
        named({"type": "object", "additionalProperties": ANY}),
        with_string_keys(ANY),
        with_pairs(ANY, list(KEY_TYPES)),
    ]
    return {
        "TensorResult": {"description": "Flat, in row-major order.", "anyOf": tensors},
        "Result": {"description": "The value that the method returned.", "anyOf": anything},
        "PlainResult": plain(),
    }


def plain() -> Schema:
    """A value without envelopes."""
    again = reference("PlainResult")
    branches: list[Schema] = [
        {"type": ["null", "boolean", "number", "string"]},
        {"type": "array", "items": again},
        {"type": "object", "additionalProperties": again},
    ]
    text = (
        "The value that the method returned, without envelopes: tensors are nested arrays of "
        f"numbers, in which {', '.join(NOT_FINITE)} are strings."
    )
    return {"description": text, "anyOf": branches}

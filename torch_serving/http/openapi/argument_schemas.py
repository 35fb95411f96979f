"""JSON Schema of the arguments in requests to `/serve`, by type, as the decoder reads them.

Values have envelopes, or are plain JSON (`bare`) where that leaves no doubt. JSON Schema can't
express how many numbers a shape holds, or that nesting is even: descriptions say so.
"""

import json
from collections.abc import Callable, Iterable

from torch_serving.codecs.constants import written
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.http.openapi.number_schemas import (
    COMPLEX,
    DIMENSIONS,
    ELEMENTS,
    EXACT_IN_FLOAT64,
    NOT_FINITE,
    Schema,
    element,
    nested,
    one_of,
)
from torch_serving.http.openapi.tensor_schemas import envelope, image, reference, tensor, tensor_of

INTEGERS = {"int": "int64"} | {name: name for name in ("int8", "int16", "int32", "int64", "uint8")}
FLOATS = {"float": "float64"} | {name: name for name in ("float16", "float32", "float64")}
# kind -> name -> data type of a scalar; the first may be omitted
SCALARS = {
    "bool": {"bool": "bool"},
    "int": INTEGERS,
    "float": FLOATS | INTEGERS,
    "complex": {"complex128": "complex128", "complex64": "complex64"} | FLOATS | INTEGERS,
    "number": INTEGERS | FLOATS | {"bool": "bool"} | {name: name for name in COMPLEX},
}
KEY_TYPES = ("int", "float", "bool", "complex", "tensor")


def value(spec: TypeSpec, bare: bool = False) -> Schema:
    """The schema of a request's value of a type."""
    return one_of(SCHEMAS_OF_KIND[spec.kind](spec, bare))


def scalar(spec: TypeSpec, bare: bool) -> list[Schema]:
    names = SCALARS[spec.kind]
    limits = spec.kind in ("float", "complex")
    first = next(iter(names))
    found = []
    for data_type in dict.fromkeys(names.values()):
        called = [name for name in names if names[name] == data_type]
        schema = envelope("scalar", number(data_type, limits), data_type={"enum": called})
        if first not in called or spec.kind == "number":
            schema["required"] = [*schema["required"], "data_type"]
        found.append(schema)
    return [*found, *bare_scalar(spec.kind)] if bare else found


def number(data_type: str, becomes_float: bool = False) -> Schema:
    """The number of a scalar. An integer that becomes a float must have an exact float64."""
    if data_type in COMPLEX:
        return {"type": "array", "items": element(data_type), "minItems": 2, "maxItems": 2}
    if data_type == "int64" and becomes_float:
        return {"type": "integer", "minimum": -EXACT_IN_FLOAT64, "maximum": EXACT_IN_FLOAT64}
    return element(data_type)


def bare_scalar(kind: str) -> list[Schema]:
    if kind == "number":
        return [element("int64"), {"type": "number"}, {"type": "boolean"}, not_finite()]
    if kind == "complex":
        return [number("complex128"), {"type": "number"}]
    return [element({"int": "int64", "float": "float64"}.get(kind, kind))]


def not_finite() -> Schema:
    return {"enum": list(NOT_FINITE)}


def string(spec: TypeSpec, bare: bool) -> list[Schema]:
    text: Schema = {"type": "string"}
    return [envelope("string", text), *([text] if bare else [])]


def enum(spec: TypeSpec, bare: bool) -> list[Schema]:
    names: Schema = {"enum": list(spec.names)}
    return [envelope("enum", names), *([names] if bare else [])]


def none(spec: TypeSpec, bare: bool) -> list[Schema]:
    return [{"type": "null"}, envelope("none", {"type": "null"}, required=False)]


def optional(spec: TypeSpec, bare: bool) -> list[Schema]:
    return [*none(spec, bare), value(spec.parts[0], bare)]


def union(spec: TypeSpec, bare: bool) -> list[Schema]:
    return [value(part, bare) for part in spec.parts]


def constant(spec: TypeSpec, bare: bool) -> list[Schema]:
    """A value that may only be one; a float may have been rounded to float32."""
    (part,) = spec.parts
    if spec.value is None:
        return none(part, bare)
    only: Schema = {"const": json.loads(written(spec.value))}
    kind = "string" if part.kind == "str" else "scalar"
    names: Schema = {} if kind == "string" else {"data_type": {"enum": list(SCALARS[part.kind])}}
    return [envelope(kind, only, True, **names), *([only] if bare else [])]


def anything(spec: TypeSpec, bare: bool) -> list[Schema]:
    return [reference("Any")]


def sequence(spec: TypeSpec, bare: bool) -> list[Schema]:
    array: Schema = {"type": "array", "items": value(spec.parts[0], bare)}
    listed = [envelope("tensor_list", array)] if spec.parts[0].kind == "tensor" else []
    return [array, *listed]


def tuple_of(spec: TypeSpec, bare: bool) -> list[Schema]:
    parts = [value(part, bare) for part in spec.parts]
    found = [fixed_array(parts, len(parts))]
    if parts and all(part.kind == "tensor" for part in spec.parts) and not spec.names:
        found.append(envelope("tensor_list", found[0]))
    if spec.names:
        fields: Schema = {
            "type": "object",
            "properties": dict(zip(spec.names, parts, strict=True)),
            "required": needed(zip(spec.names, spec.parts, strict=True)),
            "additionalProperties": False,
        }
        found += [envelope("named_tuple", fields, name={}), *([fields] if bare else [])]
    return found


def needed(parts: Iterable[tuple[str, TypeSpec]]) -> list[str]:
    """The members that may not be left out."""
    return [name for name, part in parts if part.kind != "constant"]


def fixed_array(parts: list[Schema], least: int) -> Schema:
    sizes = {"minItems": least, "maxItems": len(parts)}
    return {"type": "array", **({"prefixItems": parts} if parts else {}), **sizes}


def dictionary(spec: TypeSpec, bare: bool) -> list[Schema]:
    keys, values = spec.parts
    item = value(values, bare)
    if keys.kind != "str":
        pair = fixed_array([value(keys, True), item], 2)
        pairs: Schema = {"type": "array", "items": pair, "description": "Keys are unique."}
        schema = envelope("generic_dict", pairs, key_type={"const": keys.kind})
        schema["required"] = [*schema["required"], "key_type"]
        return [schema, *([pairs] if bare else [])]
    members: Schema = {"type": "object", "additionalProperties": item}
    if spec.members:
        members["properties"] = {key: value(part, bare) for key, part in spec.members.items()}
    if spec.closed:
        required = needed((spec.members or {}).items())
        members |= {"required": required, "additionalProperties": False}
    kinds = ["generic_dict", *(["tensor_dict"] if values.kind == "tensor" else [])]
    found = [envelope(kind, members, key_type={"const": "str"}) for kind in kinds]
    return [*found, *([members | {"not": anonymous_envelope(kinds)}] if bare else [])]


def anonymous_envelope(kinds: list[str]) -> Schema:
    """What is an envelope, and no dictionary in plain JSON."""
    named: Schema = {"properties": {"type": {"enum": kinds}}, "required": ["type"]}
    other: Schema = {
        "properties": {"type": {"type": "string"}, "value": {"type": ["object", "array"]}},
        "required": ["type", "value"],
    }
    return {"anyOf": [named, other]}


SCHEMAS_OF_KIND: dict[str, Callable[[TypeSpec, bool], list[Schema]]] = {
    "tensor": tensor,
    **dict.fromkeys(SCALARS, scalar),
    "str": string,
    "device": string,
    "enum": enum,
    "none": none,
    "optional": optional,
    "union": union,
    "any": anything,
    "constant": constant,
    "list": sequence,
    "tuple": tuple_of,
    "dict": dictionary,
}


def arguments(signature: Signature) -> Schema:
    """A body: arguments by name, in order or, for a single argument, bare."""
    required = [each.name for each in signature.arguments if each.required]
    named: Schema = {
        "title": "by name",
        "type": "object",
        "properties": {each.name: value(each.spec, True) for each in signature.arguments},
        "required": required,
        "additionalProperties": False,
    }
    plain = [value(each.spec, True) for each in signature.arguments]
    least = max(
        [index for index, each in enumerate(signature.arguments, 1) if each.required] or [0]
    )
    listed = {"title": "positional"} | fixed_array(plain, least)
    if len(plain) != 1:
        return {"description": str(signature), "anyOf": [named, listed]}
    (only,) = signature.arguments
    enveloped = {"title": "bare"} | value(only.spec)
    branches = [named, fixed_array([value(only.spec)], len(required)), enveloped]
    # without envelopes, what fits both ways is refused
    named_so = {"type": "object", "required": [only.name]}
    alone = {"title": "bare", "minItems": 1, "not": named_so} | plain[0]
    return {"description": str(signature), "anyOf": [*branches, {"oneOf": [listed, alone]}]}


def any_value() -> Schema:
    again = reference("Any")
    tensors: Schema = {"type": "array", "items": {"anyOf": tensor(TypeSpec("tensor", ""), False)}}
    keys = [TypeSpec(kind, kind) for kind in ("str", *KEY_TYPES)]
    branches = [
        *none(TypeSpec("none", ""), False),
        {"type": "array", "items": again},
        *tensor(TypeSpec("tensor", ""), False),
        *scalar(TypeSpec("number", ""), False),
        *string(TypeSpec("str", ""), False),
        envelope("tensor_list", tensors),
        envelope("tensor_dict", {"type": "object", "additionalProperties": tensors["items"]}),
        *(value(TypeSpec("dict", "", key, TypeSpec("any", ""))) for key in keys),
    ]
    text = (
        "A value of any type, which its envelope names. Lists and dictionaries must not be empty, "
        "and all their elements must have the same type, as torch requires."
    )
    return {"description": text, "anyOf": branches}


def components() -> dict[str, Schema]:
    """Components that the schemas of values refer to."""
    numbers: dict[str, Schema] = {}
    for data_type in ELEMENTS:
        numbers |= nested(element(data_type), data_type)
    text = (
        "`value` is flat, in row-major order, or nested; if it is nested, `shape` may be left out. "
        "A complex number is a pair of its real and its imaginary part."
    )
    tensors = {"description": text, "anyOf": [tensor_of(data_type) for data_type in ELEMENTS]}
    return {**numbers, "Shape": DIMENSIONS, "Tensor": tensors, "Image": image(), "Any": any_value()}

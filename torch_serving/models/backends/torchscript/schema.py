"""TorchScript's schema of a method -> the spec that its requests are decoded by.

A new type is a new row in `KINDS`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.errors import InvalidServable

Type = Any  # torch._C.Type: its stub lacks the methods that return the inner types
Enums = Mapping[str, Mapping[str, Any]]  # qualified name of an enumeration -> its members
NO_ENUMS: Enums = {}

# torch's kind of type -> the spec's kind, and how to get the inner types
KINDS: dict[str, tuple[str, Callable[[Type], list[Type]]]] = {
    "TensorType": ("tensor", lambda _: []),
    "BoolType": ("bool", lambda _: []),
    "IntType": ("int", lambda _: []),
    "FloatType": ("float", lambda _: []),
    "ComplexType": ("complex", lambda _: []),
    "NumberType": ("number", lambda _: []),
    "StringType": ("str", lambda _: []),
    "DeviceObjType": ("device", lambda _: []),
    "NoneType": ("none", lambda _: []),
    "AnyType": ("any", lambda _: []),
    "EnumType": ("enum", lambda _: []),
    "ListType": ("list", lambda list_type: [list_type.getElementType()]),
    "TupleType": ("tuple", lambda tuple_type: tuple_type.elements()),
    "DictType": ("dict", lambda dict_type: [dict_type.getKeyType(), dict_type.getValueType()]),
    "OptionalType": ("optional", lambda optional_type: [optional_type.getElementType()]),
    "UnionType": ("union", lambda union_type: union_type.containedTypes()),
}
# In which order the members of a union are tried: 3 is an int before it is a float.
NARROWEST_FIRST = ("none", "bool", "int", "float", "complex", "number")


def signature_of(schema: Any, enums: Enums = NO_ENUMS) -> Signature:
    """Compile a method's schema, `self` aside.

    Raises InvalidServable, naming the argument, for a type that no request can hold. An argument
    of such a type that has a default ends the list: it keeps its default.
    """
    arguments = []
    for argument in schema.arguments[1:]:
        has_default = argument.has_default_value()
        try:
            spec = spec_of(argument.type, enums)
        except InvalidServable as error:
            if has_default:
                break
            raise InvalidServable(f"argument `{argument.name}`: {error.detail}") from None
        default = argument.default_value if has_default else None
        arguments.append(Argument(argument.name, spec, not has_default, default))
    try:
        result = spec_of(schema.returns[0].type, enums)
    except InvalidServable as error:
        raise InvalidServable(f"result: {error.detail}") from None
    return Signature(tuple(arguments), result)


def spec_of(type_: Type, enums: Enums = NO_ENUMS) -> TypeSpec:
    """Compile one type. Raises InvalidServable for a type that no request can hold."""
    kind, parts_of = KINDS.get(type_.kind(), ("", lambda _: []))
    spelling = type_.annotation_str
    names: tuple[str, ...] = ()
    if kind == "enum":
        names = tuple(enums.get(spelling, ()))
    if not kind or (kind == "enum" and not names):
        raise InvalidServable(
            f"values of type {spelling} can't be made or read without the model's source"
        )
    parts = [spec_of(part, enums) for part in parts_of(type_)]
    if kind == "union":
        if any(has_names(part) for part in parts):
            raise InvalidServable(f"torch finds no named type in {spelling} when it is called")
        parts.sort(key=rank)
    if kind == "tuple":
        names = field_names(type_)
        spelling = spelling.rpartition(".")[2] if names else spelling
    return TypeSpec(kind, spelling, *parts, names=names)


def has_names(spec: TypeSpec) -> bool:
    """Whether an enumeration or a named tuple stands anywhere in a spec."""
    return bool(spec.names) or any(has_names(part) for part in spec.parts)


def rank(spec: TypeSpec) -> int:
    ranks = [rank(part) for part in spec.parts if spec.kind in ("list", "optional")]
    if spec.kind in NARROWEST_FIRST:
        ranks.append(NARROWEST_FIRST.index(spec.kind))
    return max(ranks, default=len(NARROWEST_FIRST))


def field_names(tuple_type: Type) -> tuple[str, ...]:
    """The fields of a named tuple: torch gives them only as `NamedTuple(a : Tensor, b : int)`."""
    spelling = tuple_type.str()
    if not spelling.startswith("NamedTuple("):
        return ()
    names = []
    depth = 0
    start = len("NamedTuple(")
    for index, character in enumerate(spelling):
        if character == ":" and depth == 1:
            names.append(spelling[start:index].strip())
        elif character == "," and depth == 1:
            start = index + 1
        depth += (character in "([") - (character in ")]")
    return tuple(names)

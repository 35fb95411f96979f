"""TorchScript's schema of a method -> the plan that its requests are decoded by.

A new type is a new row in `FORMS`.
"""

from collections.abc import Callable
from typing import Any

from torch_serving._decoder import Argument, Plan
from torch_serving.errors import InvalidServable

Type = Any  # torch._C.Type: its stub knows none of the methods that tell what is inside
Schema = Any  # torch._C.FunctionSchema

# torch's kind of type -> the plan's form, and how to get the types of its parts
FORMS: dict[str, tuple[str, Callable[[Type], list[Type]]]] = {
    "TensorType": ("tensor", lambda _: []),
    "IntType": ("int", lambda _: []),
    "FloatType": ("float", lambda _: []),
    "BoolType": ("bool", lambda _: []),
    "StringType": ("str", lambda _: []),
    "ListType": ("list", lambda list_type: [list_type.getElementType()]),
    "TupleType": ("tuple", lambda tuple_type: tuple_type.elements()),
    "DictType": ("dict", lambda dict_type: [dict_type.getValueType()]),
}


def plan_of(type_: Type) -> Plan:
    """Compile one type. Raises InvalidServable for a type that no request can hold."""
    form, parts = FORMS.get(type_.kind(), ("", lambda _: []))
    spelling = type_.annotation_str
    if not form or is_named_tuple(type_) or has_other_keys(type_):
        raise InvalidServable(f"arguments of type {spelling} are not supported")
    return Plan(form, spelling, *[plan_of(part) for part in parts(type_)])


def is_named_tuple(type_: Type) -> bool:
    return bool(type_.kind() == "TupleType" and not type_.annotation_str.startswith("Tuple["))


def has_other_keys(type_: Type) -> bool:
    return bool(type_.kind() == "DictType" and type_.getKeyType().kind() != "StringType")


def arguments_of(schema: Schema) -> list[Argument]:
    """Compile the arguments of a method, `self` aside.

    Raises InvalidServable, naming the argument, for a type that no request can hold.
    """
    arguments = []
    for argument in schema.arguments[1:]:
        try:
            plan = plan_of(argument.type)
        except InvalidServable as error:
            raise InvalidServable(f"argument `{argument.name}`: {error.detail}") from None
        arguments.append(Argument(argument.name, plan, not argument.has_default_value()))
    return arguments

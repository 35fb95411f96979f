"""Named tensors -> the arguments of a method."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import torch

from torch_serving.codecs.constants import expected_constant, is_constant, written
from torch_serving.codecs.constraints import check_tensor
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.tensor_tree.specs import (
    Leaf,
    StringTensor,
    can_be_named,
    fields_of,
    input_specs,
    is_leaf,
    is_vector,
    tensor_specs,
)
from torch_serving.errors import IncompatibleDtype, IncompatibleShape, InvalidInput

MAX_TENSORS = 1024  # of a request: names are looked for once for each part of each argument
MAX_TOLD = 5  # names in an error
MAX_INT64 = (1 << 63) - 1
MISSING: Any = object()


def unflatten(arguments: Iterable[Argument], tensors: Mapping[str, Leaf]) -> list[Any]:
    """Make the arguments of a method. Those that are left out take their defaults, or None.

    Raises InvalidInput for names that are missing or unknown, IncompatibleShape, IncompatibleDtype.
    """
    if len(tensors) > MAX_TENSORS:
        raise InvalidInput(f"{len(tensors)} inputs; the limit is {MAX_TENSORS}")
    left = dict(tensors)
    values = [argument_of(argument, left) for argument in arguments]
    if left:
        expected = ", ".join(tensor.name for each in arguments for tensor in input_specs(each))
        raise InvalidInput(f"input `{next(iter(left))[:100]}` is unknown; expected {expected}")
    return values


def argument_of(argument: Argument, left: dict[str, Leaf]) -> Any:
    spec = argument.spec
    if not can_be_named(spec):
        if not argument.required:
            return argument.default
        raise InvalidInput(
            f"argument `{argument.name}`: {spec.type} has no form as tensors; use JSON at /serve"
        )
    value = value_of(spec, argument.name, left)
    if value is not MISSING:
        return value
    if argument.required and spec.kind != "optional":
        raise missing(spec, argument.name, left)
    return None if argument.required else argument.default


def missing(spec: TypeSpec, name: str, left: Iterable[str] = ()) -> InvalidInput:
    """What is said of an input that did not come, with names that came and are not taken yet."""
    names = ", ".join(tensor.name for tensor in tensor_specs(spec, name))
    got = ", ".join([f"`{each[:100]}`" for each in islice(left, MAX_TOLD)])
    return InvalidInput(f"input `{names}`: {spec.type} is missing{got and '; got '}{got}")


def value_of(spec: TypeSpec, name: str, left: dict[str, Leaf]) -> Any:
    """Take the tensors of a value out of `left`; MISSING if nothing of it is there."""
    if spec.kind == "tensor":
        return tensor_of(spec, name, left.pop(name, MISSING))
    if is_leaf(spec):
        leaf = left.pop(name, MISSING)
        return leaf if leaf is MISSING else plain_value(spec, name, leaf)
    if spec.kind == "optional":
        return value_of(spec.parts[0], name, left)
    if spec.kind == "list":
        return list_of(spec.parts[0], name, left)
    if spec.kind == "constant":
        return constant_of(spec, name, left.pop(name, MISSING))
    if spec.closed:
        return closed_dict(spec.members or {}, name, left)
    if spec.kind == "dict":
        keys = keys_of(spec.parts[1], name, left)
        members = spec.members or {}
        values = {
            key: value_of(members.get(key, spec.parts[1]), f"{name}.{key}", left) for key in keys
        }
        return values or MISSING
    return tuple_of(spec, name, left)


def tensor_of(spec: TypeSpec, name: str, leaf: Any) -> Any:
    if isinstance(leaf, StringTensor):
        raise IncompatibleDtype(f"input `{name}`: expected a tensor of numbers, got strings")
    if spec.constraint is not None and leaf is not MISSING:
        check_tensor(leaf, spec.constraint, f"input `{name}`")
    return leaf


def list_of(part: TypeSpec, name: str, left: dict[str, Leaf]) -> Any:
    values: list[Any] = []
    while (value := value_of(part, f"{name}.{len(values)}", left)) is not MISSING:
        values.append(value)
    return values or MISSING


def tuple_of(spec: TypeSpec, name: str, left: dict[str, Leaf]) -> Any:
    names = [f"{name}.{field}" for field in fields_of(spec)]
    values = parts_of(dict(zip(names, spec.parts, strict=True)), left)
    return values if values is MISSING else tuple(values)


def closed_dict(members: Mapping[str, TypeSpec], name: str, left: dict[str, Leaf]) -> Any:
    values = parts_of({f"{name}.{key}": part for key, part in members.items()}, left)
    return values if values is MISSING else dict(zip(members, values, strict=True))


def parts_of(parts: Mapping[str, TypeSpec], left: dict[str, Leaf]) -> Any:
    """The parts of a value, by the names of their tensors; MISSING if there are none of any."""
    values = [value_of(part, name, left) for name, part in parts.items()]
    if all(value is MISSING for value in values):
        return MISSING
    for index, (name, part) in enumerate(parts.items()):
        if values[index] is MISSING:
            values[index] = value_without(part, name)
    return values


def value_without(spec: TypeSpec, name: str) -> Any:
    """The value of which no tensor came: None, or what is constant."""
    if spec.kind == "optional":
        return None
    if spec.kind == "constant":
        return spec.value
    if spec.closed:
        members = (spec.members or {}).items()
        return {key: value_without(part, f"{name}.{key}") for key, part in members}
    if spec.kind == "tuple":
        fields = zip(fields_of(spec), spec.parts, strict=True)
        return tuple([value_without(part, f"{name}.{field}") for field, part in fields])
    raise missing(spec, name)


def constant_of(spec: TypeSpec, name: str, leaf: Any) -> Any:
    """A constant that came as a tensor; it is MISSING where it did not."""
    if leaf is MISSING:
        return MISSING
    given: Any = "a tensor"
    if spec.value is not None:
        given = plain_value(spec.parts[0], name, leaf)
        if is_constant(given, spec.value):
            return spec.value
        given = written(given)
    raise InvalidInput(f"input `{name}`: expected {expected_constant(spec.value)}, got {given:.60}")


def keys_of(part: TypeSpec, name: str, left: dict[str, Leaf]) -> list[str]:
    """The keys of a dictionary; one may hold points only where the value is one tensor."""
    start = len(name) + 1
    rests = [each[start:] for each in left if each.startswith(f"{name}.")]
    return rests if is_leaf(part) else list({rest.partition(".")[0]: None for rest in rests})


def plain_value(spec: TypeSpec, name: str, leaf: Leaf) -> Any:
    """A number, a string, or a list of them."""
    vector = is_vector(spec)
    part = spec.parts[0] if vector else spec
    kind = check_kind(part.kind, spec, name, leaf)
    rank, count = (
        len(leaf.shape),
        len(leaf.values) if isinstance(leaf, StringTensor) else leaf.numel(),
    )
    if rank != 1 if vector else (rank > 1 or count != 1):
        expected = "one dimension" if vector else "shape [] or [1]"
        raise IncompatibleShape(
            f"input `{name}`: expected {expected} for {spec.type}, got {list(leaf.shape)}"
        )
    values: list[Any] = leaf.values if isinstance(leaf, StringTensor) else leaf.reshape(-1).tolist()
    if kind == "int" and any(value > MAX_INT64 for value in values):
        raise IncompatibleDtype(f"input `{name}`: a number does not fit int64")
    values = [float(value) for value in values] if kind == "float" else values
    return values if vector else values[0]


def check_kind(kind: str, spec: TypeSpec, name: str, leaf: Leaf) -> str:
    """Raise IncompatibleDtype for a tensor that holds something else than a kind wants."""
    came = kind_of(leaf)
    if kind == "number" and came != "str":
        return came
    if kind != came and not (kind == "float" and came == "int"):
        got = (
            "strings" if isinstance(leaf, StringTensor) else str(leaf.dtype).removeprefix("torch.")
        )
        raise IncompatibleDtype(f"input `{name}`: expected {spec.type}, got {got}")
    return kind


def kind_of(leaf: Leaf) -> str:
    if isinstance(leaf, StringTensor):
        return "str"
    if leaf.dtype == torch.bool:
        return "bool"
    if leaf.dtype.is_complex:
        return "complex"
    return "float" if leaf.dtype.is_floating_point else "int"

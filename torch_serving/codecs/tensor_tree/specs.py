"""Arguments and results of a method as named tensors: binary bodies hold nothing else.

An argument is the tensor of its name. An argument with parts is a tensor for each part, named by
its path: `images.0`, `images.1` for a list, `sizes.width` for a named tuple or a dictionary.
Numbers are tensors of one element, lists of numbers tensors of one dimension, strings a
`StringTensor`. Results are named in the same way below `output_0`, `output_1`, … or, for a
dictionary or a named tuple, below its keys or fields.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.errors import InvalidInput

EACH = "*"  # stands for indices or keys that only a value has


class StringTensor(NamedTuple):
    """Strings, which torch has no tensors for, row by row."""

    shape: tuple[int, ...]
    values: list[str]


Leaf = torch.Tensor | StringTensor


class TensorSpec(NamedTuple):
    """One tensor of an argument or a result. A name with `*` stands for any number of tensors."""

    name: str
    type_spec: TypeSpec
    required: bool = True

    @property
    def is_fixed(self) -> bool:
        return EACH not in self.name.split(".")


def is_scalar(spec: TypeSpec) -> bool:
    return spec.kind in ("int", "float", "bool", "number", "str")


def is_vector(spec: TypeSpec) -> bool:
    """Whether a list is one tensor."""
    return spec.kind == "list" and spec.parts[0].kind in ("int", "float", "bool", "str")


def is_leaf(spec: TypeSpec) -> bool:
    return spec.kind == "tensor" or is_scalar(spec) or is_vector(spec)


def can_be_named(spec: TypeSpec) -> bool:
    """Whether named tensors can make a value of a type."""
    if is_leaf(spec):
        return True
    if spec.closed:
        return all(can_be_named(part) for part in (spec.members or {}).values())
    if spec.kind == "dict":
        return spec.parts[0].kind == "str" and can_be_named(spec.parts[1])
    known = spec.kind in ("list", "tuple", "optional")
    return spec.kind == "constant" or (known and all(can_be_named(part) for part in spec.parts))


def tensor_specs(spec: TypeSpec, name: str, required: bool = True) -> Iterator[TensorSpec]:
    """The tensors of a value of a type; none for types that named tensors can't make."""
    if spec.kind == "constant":
        if spec.value is not None:
            yield TensorSpec(name or "output_0", spec.parts[0], False)
    elif is_leaf(spec):
        yield TensorSpec(name or "output_0", spec, required)
    elif spec.kind == "optional":
        yield from tensor_specs(spec.parts[0], name, False)
    elif spec.closed:
        for key, part in (spec.members or {}).items():
            yield from tensor_specs(part, joined(name, key), required)
    elif spec.kind in ("list", "dict"):
        for key, part in (spec.members or {}).items():
            yield from tensor_specs(part, joined(name, key), False)
        yield from tensor_specs(spec.parts[-1], joined(name, EACH), required)
    elif spec.kind == "tuple":
        for part, field in zip(spec.parts, fields_of(spec), strict=True):
            yield from tensor_specs(part, joined(name, field), required)


def fields_of(spec: TypeSpec) -> Iterable[str | int]:
    return spec.names or range(len(spec.parts))


def joined(name: str, part: str | int) -> str:
    if name:
        return f"{name}.{part}"
    return f"output_{part}" if isinstance(part, int) else part


def input_specs(argument: Argument) -> Iterator[TensorSpec]:
    if can_be_named(argument.spec):
        yield from tensor_specs(argument.spec, argument.name, argument.required)


def only_input(arguments: Iterable[Argument], body: str) -> TensorSpec:
    """The one input of a method that a body of a single tensor can hold.

    Raises InvalidInput, which calls the body `body`, for a method that needs more or other inputs.
    """
    specs = [spec for argument in arguments for spec in input_specs(argument)]
    needed = [spec for spec in specs if spec.required] or specs[:1]
    if len(needed) != 1 or not needed[0].is_fixed:
        names = ", ".join(spec.name for spec in needed) or "nothing"
        raise InvalidInput(f"{body}; the model takes {names}")
    return needed[0]

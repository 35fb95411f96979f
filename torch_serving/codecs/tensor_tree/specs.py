"""Arguments and results of a method as tensors with names, which is all that binary bodies hold.

An argument is the tensor of its name. One that has parts is a tensor for each, called after its
place: `images.0`, `images.1` for a list, `sizes.width` for a named tuple or a dictionary. Numbers
are tensors of one element, lists of numbers tensors of one dimension, strings are `Texts`. What a
method returns is named in the same way below `output_0`, `output_1`, … or, where the result is a
dictionary or a named tuple, its keys or fields. named_arguments.py and named_results.py go either
way.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch

from torch_serving.codecs.json._decoder import Argument, TypeSpec

EACH = "*"  # stands for indices or keys that only a value tells


class Texts(NamedTuple):
    """Strings, which torch has no tensors for, row by row."""

    shape: tuple[int, ...]
    values: list[str]


Leaf = torch.Tensor | Texts


class Slot(NamedTuple):
    """Where one tensor goes or comes from. A name with `*` stands for any number of them."""

    name: str
    spec: TypeSpec
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
    """Whether named tensors can make a value of this spec."""
    if is_leaf(spec):
        return True
    if spec.kind == "dict":
        return spec.parts[0].kind == "str" and can_be_named(spec.parts[1])
    known = spec.kind in ("list", "tuple", "optional")
    return known and all(can_be_named(part) for part in spec.parts)


def slots_of(spec: TypeSpec, name: str, required: bool = True) -> Iterator[Slot]:
    """The tensors that a spec takes or gives; none for types that have no such form."""
    if is_leaf(spec):
        yield Slot(name or "output_0", spec, required)
    elif spec.kind == "optional":
        yield from slots_of(spec.parts[0], name, False)
    elif spec.kind in ("list", "dict"):
        yield from slots_of(spec.parts[-1], joined(name, EACH), required)
    elif spec.kind == "tuple":
        for part, field in zip(spec.parts, fields_of(spec), strict=True):
            yield from slots_of(part, joined(name, field), required)


def fields_of(spec: TypeSpec) -> Iterable[str | int]:
    return spec.names or range(len(spec.parts))


def joined(name: str, part: str | int) -> str:
    if name:
        return f"{name}.{part}"
    return f"output_{part}" if isinstance(part, int) else part


def inputs_of(argument: Argument) -> Iterator[Slot]:
    if can_be_named(argument.spec):
        yield from slots_of(argument.spec, argument.name, argument.required)

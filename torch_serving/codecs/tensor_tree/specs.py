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

from torch_serving.codecs.json._decoder import Argument, Plan

EACH = "*"  # stands for indices or keys that only a value tells


class Texts(NamedTuple):
    """Strings, which torch has no tensors for, row by row."""

    shape: tuple[int, ...]
    values: list[str]


Leaf = torch.Tensor | Texts


class Slot(NamedTuple):
    """Where one tensor goes or comes from. A name with `*` stands for any number of them."""

    name: str
    plan: Plan
    required: bool = True

    @property
    def is_fixed(self) -> bool:
        return EACH not in self.name.split(".")


def is_scalar(plan: Plan) -> bool:
    return plan.form in ("int", "float", "bool", "number", "str")


def is_vector(plan: Plan) -> bool:
    """Whether a list is one tensor."""
    return plan.form == "list" and plan.parts[0].form in ("int", "float", "bool", "str")


def is_leaf(plan: Plan) -> bool:
    return plan.form == "tensor" or is_scalar(plan) or is_vector(plan)


def can_be_named(plan: Plan) -> bool:
    """Whether named tensors can make a value of this plan."""
    if is_leaf(plan):
        return True
    if plan.form == "dict":
        return plan.parts[0].form == "str" and can_be_named(plan.parts[1])
    known = plan.form in ("list", "tuple", "optional")
    return known and all(can_be_named(part) for part in plan.parts)


def slots_of(plan: Plan, name: str, required: bool = True) -> Iterator[Slot]:
    """The tensors that a plan takes or gives; none for types that have no such form."""
    if is_leaf(plan):
        yield Slot(name or "output_0", plan, required)
    elif plan.form == "optional":
        yield from slots_of(plan.parts[0], name, False)
    elif plan.form in ("list", "dict"):
        yield from slots_of(plan.parts[-1], joined(name, EACH), required)
    elif plan.form == "tuple":
        for part, field in zip(plan.parts, fields_of(plan), strict=True):
            yield from slots_of(part, joined(name, field), required)


def fields_of(plan: Plan) -> Iterable[str | int]:
    return plan.names or range(len(plan.parts))


def joined(name: str, part: str | int) -> str:
    if name:
        return f"{name}.{part}"
    return f"output_{part}" if isinstance(part, int) else part


def inputs_of(argument: Argument) -> Iterator[Slot]:
    if can_be_named(argument.plan):
        yield from slots_of(argument.plan, argument.name, argument.required)

"""Whether the shapes of its inputs bound the time that a TorchScript method takes."""

import functools
from collections.abc import Sequence
from typing import Any

import torch

Nodes = Sequence[Any]  # all of a graph
# Operators whose time or whose result's size may depend on values, not only on shapes.
UNBOUNDED = (
    "prim::Loop", "prim::tolist", "aten::item", "aten::Int", "aten::Float", "aten::Complex",
    "aten::IntImplicit", "aten::FloatImplicit", "aten::ComplexImplicit", "aten::ScalarImplicit",
    "aten::Bool", "aten::is_nonzero",  # branches that depend on them may take any time
)  # fmt: skip
SIZED_BY_VALUES = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}


def is_bounded(schema: Any, nodes: Nodes) -> bool:
    """Whether the shapes of a request's tensors bound the time that a method takes.

    They do if the method takes nothing but tensors, has no loops, makes no numbers of tensors, and
    has no operator whose result or its size depends on values; torch tags those operators.
    """
    if any(argument.type.kind() != "TensorType" for argument in schema.arguments[1:]):
        return False
    return all(is_sized_by_shapes(kind) for kind in {node.kind() for node in nodes})


# Operators that wait for the device.
NOT_CAPTURED = ("aten::Bool", "aten::is_nonzero", "aten::equal", "aten::cpu")


DIFFERENTIATE = ("aten::grad", "aten::backward")
FORK = ("prim::fork", "prim::CallMethod")  # an interface's method is not known before it is called


def differentiates(nodes: Nodes) -> bool:
    """Whether a method asks for gradients."""
    return any(node.kind() in DIFFERENTIATE for node in nodes)


def forks(nodes: Nodes) -> bool:
    """Whether other threads of torch may run parts of a method."""
    return any(node.kind() in FORK for node in nodes)


def waits(nodes: Nodes) -> bool:
    """Whether a method waits for its device."""
    return any(node.kind() in NOT_CAPTURED for node in nodes)


@functools.lru_cache(maxsize=4096)
def is_sized_by_shapes(kind: str) -> bool:
    namespace, _, name = kind.partition("::")
    if kind in UNBOUNDED or namespace not in ("aten", "prim"):
        return False
    operator = getattr(torch.ops.aten, name, None) if namespace == "aten" else None
    overloads = operator.overloads() if operator else []
    return not any(SIZED_BY_VALUES & set(getattr(operator, each).tags) for each in overloads)

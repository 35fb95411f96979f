"""Whether the shapes of its inputs bound the time that a TorchScript method takes."""

import functools
from collections.abc import Iterator
from typing import Any

import torch

# Operators whose time or whose result's size may depend on values, not only on shapes.
UNBOUNDED = (
    "prim::Loop", "prim::tolist", "aten::item", "aten::Int", "aten::Float", "aten::Complex",
    "aten::IntImplicit", "aten::FloatImplicit", "aten::ComplexImplicit", "aten::ScalarImplicit",
)  # fmt: skip
SIZED_BY_VALUES = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}


def is_bounded(method: Any) -> bool:
    """Whether the shapes of a request's tensors bound the time that a method takes.

    They do if the method takes nothing but tensors, has no loops, makes no numbers of tensors, and
    has no operator whose result's size depends on values; torch tags those operators.
    """
    if any(argument.type.kind() != "TensorType" for argument in method.schema.arguments[1:]):
        return False
    graph = method.inlined_graph
    return all(is_sized_by_shapes(kind) for kind in set(kinds_in(graph)))


# Operators that wait for the device, and one that changes the module.
NOT_CAPTURED = ("aten::Bool", "aten::is_nonzero", "aten::equal", "aten::cpu", "prim::SetAttr")


def waits_or_keeps(method: Any) -> bool:
    """Whether a method waits for its device, or writes attributes."""
    return any(kind in NOT_CAPTURED for kind in kinds_in(method.inlined_graph))


def kinds_in(block: Any) -> Iterator[str]:
    """The kinds of all operators in a graph, or in a block of one."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from kinds_in(inner)


@functools.lru_cache(maxsize=4096)
def is_sized_by_shapes(kind: str) -> bool:
    namespace, _, name = kind.partition("::")
    if kind in UNBOUNDED or namespace not in ("aten", "prim"):
        return False
    operator = getattr(torch.ops.aten, name, None) if namespace == "aten" else None
    overloads = operator.overloads() if operator else []
    return not any(SIZED_BY_VALUES & set(getattr(operator, each).tags) for each in overloads)

"""Whether a TorchScript method draws random numbers, or sets where they begin."""

import functools
from collections.abc import Sequence
from typing import Any

import torch

from torch_serving.models.backends.torchscript.state import writes_of

# An operator with one of these arguments draws nothing if it is false or zero.
CONDITIONS = ("train", "training", "dropout_p", "dropout")


def seeds(nodes: Sequence[Any]) -> bool:
    """Whether a method seeds the random numbers of the whole process."""
    return any(node.schema().startswith("aten::manual_seed(") for node in nodes)


def draws(nodes: Sequence[Any]) -> bool:
    """Whether a method draws random numbers."""
    return any(is_random(node.kind()) and not is_off(node) for node in nodes)


def is_off(node: Any) -> bool:
    arguments = dict(zip(writes_of(node.schema()).arguments, node.inputs(), strict=False))
    conditions = (arguments[name].toIValue() for name in CONDITIONS if name in arguments)
    return any(value is not None and not value for value in conditions)


@functools.lru_cache(maxsize=4096)
def is_random(kind: str) -> bool:
    namespace, _, name = kind.partition("::")
    operator = getattr(torch.ops.aten, name, None) if namespace == "aten" else None
    overloads = [getattr(operator, each) for each in operator.overloads()] if operator else []
    return any(torch.Tag.nondeterministic_seeded in each.tags for each in overloads)

"""What the functions that a package's library calls say of its runs."""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from torch_serving.models.backends.torchscript.cost import is_sized_by_shapes
from torch_serving.models.backends.torchscript.randomness import is_random

PREFIXES = ("aoti_torch_cpu_", "aoti_torch_cuda_", "aoti_torch_aten_", "aoti_torch_")
VALUES = "aoti_torch_item_"  # functions that make numbers of tensors
DIVISION = re.compile(
    r"torch\.ops\.aten\.(?:floor_divide|remainder|fmod|div\.(?:Tensor|Scalar)_mode)"
)
CHECK, THREADS = "aoti_torch_check", "GOMP_parallel"


def reads_values(calls: Iterable[str]) -> bool:
    """Whether a run makes numbers of what tensors hold, which may choose what it does."""
    return any(call.startswith(VALUES) for call in calls)


def is_bounded(calls: Iterable[str]) -> bool:
    """Whether the shapes of its inputs bound the time of a run."""
    return not reads_values(calls) and all(is_sized_by_shapes(kind_of(call)) for call in calls)


def draws(calls: Iterable[str]) -> bool:
    """Whether a run draws random numbers."""
    return any(is_random(kind_of(call)) for call in calls)


def may_abort(calls: frozenset[str]) -> bool:
    """Whether a number out of range in a request ends the process.

    Compiled loops of several threads check indices, and no error can leave such a loop.
    """
    return CHECK in calls and THREADS in calls


def divides_integers(document: Mapping[str, Any]) -> bool:
    """Whether a program may divide integers.

    A compiled loop keeps in a variable of its library where it notes divisions by zero: of two
    that run at once, one would note them for the other, or where nothing is any more.
    """
    return DIVISION.search(json.dumps(document["graph_module"])) is not None


@functools.lru_cache(maxsize=4096)
def kind_of(call: str) -> str:
    """The operator behind a function, as TorchScript names it: its name may end in an overload."""
    name = call
    for prefix in PREFIXES:
        if call.startswith(prefix):
            name = call.removeprefix(prefix)
            break
    parts = name.split("_")
    for count in range(len(parts), 0, -1):
        operator = "_".join(parts[:count])
        if operator and getattr(torch.ops.aten, operator, None) is not None:
            return f"aten::{operator}"
    return "prim::unknown"

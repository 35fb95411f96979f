"""What a program and its package answer to the same inputs, and how long each takes."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils import _pytree as pytree

from torch_serving.engine.batch_tensors import is_close

Run = Callable[[], Any]
Bind = Callable[[Sequence[Any]], Run]  # flat inputs -> a run with them

MEASURED_S = 0.4  # for both, for inputs of one size
MIN_RUNS, MAX_RUNS = 3, 1000
UNKNOWN = (math.inf, math.inf, 0.0, 0.0)
WARM_UP_RUNS = 3  # the interpreter compiles what it runs in its first turns


class Comparison(NamedTuple):
    """One size of inputs: what is wrong with the results, if anything, and how long both take."""

    inputs: str
    problem: str
    difference: float  # the largest, of any number in the results
    relative: float  # the same, beside the largest number of its tensor
    before_s: float
    after_s: float


class Refused(NamedTuple):
    """Inputs that the program itself does not take."""

    inputs: str
    reason: str


def compare(
    before: Bind,
    after: Bind,
    names: Sequence[str],
    requests: Iterator[list[Any]],
    only_types: bool = False,
) -> Iterator[Comparison | Refused]:
    """Run requests through both, and yield how they compare. The first one is the program's own.

    With `only_types`, the numbers in results are not compared.
    """
    with torch.inference_mode():
        for leaves in requests:
            text = text_of(names, leaves)
            try:
                expected = before(copied(leaves))()
            except Exception as error:
                yield Refused(text, first_line(error))
                continue
            try:
                found = after(copied(leaves))()
            except Exception as error:
                yield Comparison(text, f"fails ({first_line(error)})", *UNKNOWN)
                continue
            same, difference, relative = differences(found, expected, only_types)
            if same:
                times = measure(before(leaves), after(leaves))
                yield Comparison(text, "", difference, relative, *times)
            else:
                yield Comparison(text, "gives other results", *UNKNOWN)


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def copied(leaves: Sequence[Any]) -> list[Any]:
    """Inputs that a run may write to."""
    return [each.clone() if isinstance(each, torch.Tensor) else each for each in leaves]


def text_of(names: Sequence[str], leaves: Sequence[Any]) -> str:
    """The shapes of the tensors in a request, by name."""
    parts = [
        f"{name} {list(leaf.shape)}"
        for name, leaf in zip(names, leaves, strict=True)
        if isinstance(leaf, torch.Tensor)
    ]
    return ", ".join(parts) or "no tensors"


def differences(found: Any, expected: Any, only_types: bool) -> tuple[bool, float, float]:
    """Whether results are the same, and the largest difference, absolute and relative."""
    values, wanted = (list(map(as_tensor, pytree.tree_leaves(each))) for each in (found, expected))
    if list(map(type_of, values)) != list(map(type_of, wanted)):
        return False, math.inf, math.inf
    if only_types:
        return True, 0.0, 0.0
    pairs = list(zip(values, wanted, strict=True))
    if not all(is_close(*pair) for pair in pairs):
        return False, math.inf, math.inf
    distances = [distance_of(*pair) for pair in pairs if is_filled(pair[1])]
    relative = [distance / size if size else distance for distance, size in distances]
    largest = max((distance for distance, _ in distances), default=0.0)
    return True, largest, max(relative, default=0.0)


def as_tensor(value: Any) -> Any:
    """A result of a package may be an array of numpy."""
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def type_of(value: Any) -> Any:
    """What must be equal in any case."""
    return (value.dtype, value.shape) if isinstance(value, torch.Tensor) else type(value)


def is_filled(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.numel() > 0


def distance_of(value: torch.Tensor, wanted: torch.Tensor) -> tuple[float, float]:
    """The largest difference of two tensors, and the largest number in the second one."""
    if value.dtype == torch.bool:
        return 0.0, 1.0
    kind = torch.complex128 if value.is_complex() else torch.float64
    value, wanted = value.to(kind), wanted.to(kind)
    apart = (value - wanted).abs().nan_to_num(0.0, 0.0, 0.0)  # where both are infinite or no number
    return float(apart.max()), float(wanted.abs().nan_to_num(0.0, 0.0, 0.0).max())


def measure(before: Run, after: Run) -> tuple[float, float]:
    """The median times of a run of each, which take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for run in (before, after):
        for _ in range(WARM_UP_RUNS):
            run()
    stop_s = time.perf_counter() + MEASURED_S
    while len(times[0]) < MIN_RUNS or (time.perf_counter() < stop_s and len(times[0]) < MAX_RUNS):
        for run, found in zip((before, after), times, strict=True):
            found.append(timed(run))
    return statistics.median(times[0]), statistics.median(times[1])


def timed(run: Run) -> float:
    started_s = time.perf_counter()
    run()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    return time.perf_counter() - started_s

"""How far figures vary by themselves: those of the parts of one load."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from statistics import mean, stdev
from typing import NamedTuple

PARTS = 10
LEAST = 0.03  # two equal loads differ by so much anyway
UNKNOWN = 0.1  # where there is too little to tell
FIGURES = ("requests_per_s", "p50", "p99")
ENOUGH = 20  # answers in a part


class Mark(NamedTuple):
    """How far a load was at a time."""

    time_s: float
    answers: int
    latencies: int


def noise_of(marks: Sequence[Mark], latencies_s: Sequence[float]) -> dict[str, float]:
    """Return the share of each figure from which a difference means something."""
    step = max(1, len(marks) // PARTS)
    parts = [
        figures_of(begin, end, latencies_s[begin.latencies : end.latencies])
        for begin, end in pairwise(marks[::step])
        if end.latencies - begin.latencies >= ENOUGH
    ]
    if len(parts) < PARTS // 2:
        return dict.fromkeys(FIGURES, UNKNOWN)
    columns = zip(*parts, strict=True)
    return {name: max(LEAST, error_of(each)) for name, each in zip(FIGURES, columns, strict=True)}


def figures_of(begin: Mark, end: Mark, latencies_s: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(latencies_s)
    rate = (end.answers - begin.answers) / (end.time_s - begin.time_s)
    return rate, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def error_of(values: Sequence[float]) -> float:
    """Two standard errors of the mean, as a share of it."""
    middle = mean(values)
    return 2 * stdev(values) / sqrt(len(values)) / middle if middle else UNKNOWN

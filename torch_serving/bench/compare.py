"""Measurements beside earlier ones: ratios, and whether they mean anything."""

from collections.abc import Callable, Sequence
from math import hypot
from typing import NamedTuple

from torch_serving.bench.measurement import Measurement
from torch_serving.bench.noise import UNKNOWN


class Figure(NamedTuple):
    """One figure of a measurement; `noise` is its key there."""

    name: str
    noise: str
    of: Callable[[Measurement], float]
    more_is_better: bool


FIGURES = (
    Figure("requests/s", "requests_per_s", lambda each: each.rate, True),
    Figure("p50", "p50", lambda each: each.percentile_ms(50), False),
    Figure("p99", "p99", lambda each: each.percentile_ms(99), False),
)


def comparison(measurements: Sequence[Measurement], earlier: Sequence[Measurement]) -> list[str]:
    """A line for each load that was measured before, too."""
    before = {(each.load.connections, each.load.rate): each for each in earlier}
    lines = []
    for each in measurements:
        other = before.get((each.load.connections, each.load.rate))
        if other is None:
            lines.append(f"{each.load.name}: not measured before")
        else:
            parts = [ratio_text(figure, each, other) for figure in FIGURES]
            lines.append(f"{each.load.name}: {', '.join(parts)}")
    return lines


def ratio_text(figure: Figure, now: Measurement, before: Measurement) -> str:
    old, new = figure.of(before), figure.of(now)
    if not old or not new:
        return f"{figure.name} without a figure"
    ratio, noise = new / old, noise_of(figure, now, before)
    if abs(ratio - 1) <= noise:
        return f"{figure.name} × {ratio:.2f} (within noise, ± {noise * 100:.0f} %)"
    verdict = "better" if (ratio > 1) == figure.more_is_better else "worse"
    return f"{figure.name} × {ratio:.2f} ({verdict}; noise ± {noise * 100:.0f} %)"


def noise_of(figure: Figure, *measurements: Measurement) -> float:
    return hypot(*(each.noise.get(figure.noise, UNKNOWN) for each in measurements))

"""Whether one of two servers that were measured in turn is faster, or the machine only noisy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log, sqrt
from statistics import mean, median, stdev

# One-sided quantiles of Student's t for 95 %, by degrees of freedom.
T95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81, 1.80, 1.78, 1.77, 1.76, 1.75)
LEAST_ROUNDS = 3
LEAST_GAIN = 1.03  # less is not worth a flag
MOST_ALONE, MOST_P99 = 1.15, 1.25  # times what the defaults take


@dataclass(frozen=True)
class Figures:
    """What one server did in one round."""

    rate: float  # requests/s under load
    p99_ms: float  # under load
    alone_ms: float  # p50 of one client
    failed: int = 0


@dataclass
class Rounds:
    """The rounds of one server, and of the defaults in the same minutes."""

    figures: list[Figures] = field(default_factory=list)
    defaults: list[Figures] = field(default_factory=list)

    def add(self, figures: Figures, defaults: Figures) -> None:
        self.figures.append(figures)
        self.defaults.append(defaults)

    @property
    def count(self) -> int:
        return len(self.figures)

    @property
    def gain(self) -> float:
        """How many times the requests of the defaults it answered."""
        return exp(mean(self._logs())) if self.count else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which gains the true one lies, with 95 % on each side."""
        if self.count < 2:
            return 0.0, float("inf")
        logs = self._logs()
        margin = T95[min(self.count - 2, len(T95) - 1)] * stdev(logs) / sqrt(self.count)
        return exp(mean(logs) - margin), exp(mean(logs) + margin)

    @property
    def is_better(self) -> bool:
        return self.count >= LEAST_ROUNDS and self.bounds[0] >= LEAST_GAIN and not self.objections

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.figures)

    @property
    def objections(self) -> list[str]:
        """Why it is not suggested, however many requests it answers."""
        found = []
        if self.failed:
            found.append(f"{self.failed} requests failed")
        if self._ratio("alone_ms") > MOST_ALONE:
            found.append(f"one client alone waits {self._ratio('alone_ms'):.2f} times as long")
        if self._ratio("p99_ms") > MOST_P99:
            found.append(f"its p99 is {self._ratio('p99_ms'):.2f} times as long")
        return found

    def _logs(self) -> list[float]:
        pairs = zip(self.figures, self.defaults, strict=True)
        return [log(max(one.rate, 1e-9) / max(other.rate, 1e-9)) for one, other in pairs]

    def _ratio(self, name: str) -> float:
        pairs = zip(self.figures, self.defaults, strict=True)
        ratios = [getattr(one, name) / max(getattr(other, name), 1e-9) for one, other in pairs]
        return median(ratios) if ratios else 0.0


def middle(figures: Sequence[Figures]) -> Figures:
    """The medians of several rounds."""
    return Figures(
        median(each.rate for each in figures),
        median(each.p99_ms for each in figures),
        median(each.alone_ms for each in figures),
        sum(each.failed for each in figures),
    )

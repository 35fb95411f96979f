"""Rows of the table, and the effort spent on each."""

from collections.abc import Iterator
from typing import NamedTuple

HEAD = "| trial | what was done | figure | bound | ok |\n| --- | --- | --- | --- | --- |"


class Row(NamedTuple):
    """One promise and what became of it. `timed`: the figure is a time, which noise can break."""

    done: str
    figure: str
    bound: str
    ok: bool
    timed: bool = False

    def text(self, trial: str) -> str:
        ok = "ok" if self.ok else "**not**"
        return f"| {trial} | {self.done} | {self.figure} | {self.bound} | {ok} |"


class Effort(NamedTuple):
    """The scale of a run: the most seconds of each load, and a share of the full counts."""

    seconds: float = 60.0
    share: float = 1.0

    def time(self, full_s: float) -> float:
        return min(full_s, self.seconds)

    def count(self, full: int, least: int = 1) -> int:
        return max(least, int(full * self.share))


Rows = Iterator[Row]


def percentile(times_s: list[float], percent: float) -> float:
    """A percentile of times in seconds, in milliseconds."""
    if not times_s:
        return 0.0
    ordered = sorted(times_s)
    return 1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

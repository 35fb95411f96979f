"""Rows of the table, and how much is done for each."""

from collections.abc import Iterator
from typing import NamedTuple

HEAD = "| trial | what was done | figure | bound | ok |\n| --- | --- | --- | --- | --- |"


class Row(NamedTuple):
    """One promise and what came of it. `timed`: the figure is a time, and noise can break it."""

    done: str
    figure: str
    bound: str
    ok: bool
    timed: bool = False

    def text(self, trial: str) -> str:
        ok = "ok" if self.ok else "**not**"
        return f"| {trial} | {self.done} | {self.figure} | {self.bound} | {ok} |"


class Effort(NamedTuple):
    """How much of what a full run does: at most so many seconds of each load, a share of counts."""

    seconds: float = 60.0
    share: float = 1.0

    def time(self, full_s: float) -> float:
        return min(full_s, self.seconds)

    def count(self, full: int, least: int = 1) -> int:
        return max(least, int(full * self.share))


Rows = Iterator[Row]


def percentile(times_s: list[float], percent: float) -> float:
    """Of times in seconds, in milliseconds."""
    if not times_s:
        return 0.0
    ordered = sorted(times_s)
    return 1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

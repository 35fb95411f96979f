"""A short version of `make chaos` and `make soak`: what holds at any speed of the machine."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import TRIALS
from tests.chaos.soak import Held, grown, soak
from tests.chaos.stage import Stage
from tests.chaos.table import Effort

SHORT = Effort(seconds=2, share=0.002)
# Where no other test does the same, and nothing depends on the speed of the machine.
QUICK = (
    "kill",
    "bad files",
    "replacements",
    "no files",
    "no files to restart",
    "no disk",
    "no memory",
    "cold",
    "small cache",
    "stamps",
    "device stamps",
    "truncations",
    "unread output",
    "stalled disk",
    "stateful",
    "quota",
)


@pytest.mark.parametrize("name", QUICK)
def test_trials(tmp_path: Path, name: str):
    rows = [row for row in TRIALS[name](Stage(tmp_path, SHORT)) if not row.timed]
    assert rows
    assert [row for row in rows if not row.ok] == []


def test_nothing_grows_and_a_planted_leak_is_caught(tmp_path: Path):
    effort = Effort(seconds=2, share=0.02)
    rows = list(soak(Stage(tmp_path, effort), leaks=("memory=40000",)))
    assert [row for row in rows if not row.ok] == []


def test_what_counts_as_growth():
    assert grown(Held(100, 5, 5), Held(105, 5, 4), most_threads=5) == []
    assert grown(Held(100, 5, 5), Held(100, 5, 7), most_threads=7) == []
    assert grown(Held(100, 5, 5), Held(106, 6, 8), most_threads=7) == ["memory", "files", "threads"]

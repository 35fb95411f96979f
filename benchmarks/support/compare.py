"""Ratios of one run against those of another: `python -m benchmarks.support.compare OLD [NEW]`.

`make bench` writes its ratios to .benchmarks/ratios.json. Keep a copy, change something, run it
again: ratios that became worse by more than the noise are marked, and the exit code is 1.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

LATEST = Path(".benchmarks/ratios.json")
NOISE = 0.15


class Ratio(NamedTuple):
    value: float
    better: str  # "more" or "less"


def record(name: str, ratio: Ratio) -> None:
    """Store a ratio of this run in place of the old one."""
    LATEST.parent.mkdir(exist_ok=True)
    ratios = read(LATEST) if LATEST.exists() else {}
    ratios[name] = ratio
    LATEST.write_text(json.dumps(ratios, indent=1) + "\n")


def read(path: Path) -> dict[str, Ratio]:
    return {name: Ratio(*ratio) for name, ratio in json.loads(path.read_text()).items()}


def is_worse(before: Ratio, after: Ratio) -> bool:
    change = after.value / before.value - 1
    return (change < -NOISE) if before.better == "more" else (change > NOISE)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.support.compare")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=LATEST)
    arguments = parser.parse_args()
    before, after = read(arguments.old), read(arguments.new)
    worse = False
    print("| ratio | before | after | |\n| --- | --- | --- | --- |")
    for name in sorted(before.keys() & after.keys()):
        regressed = is_worse(before[name], after[name])
        worse |= regressed
        word = "WORSE" if regressed else ""
        print(f"| {name} | {before[name].value:.2f} | {after[name].value:.2f} | {word} |")
    sys.exit(worse)


if __name__ == "__main__":
    main()

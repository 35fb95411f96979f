"""How well fleets do, by the way their requests are balanced, the room for models, and the load.

Each cell: hits, the busiest node in parts of the mean, the 99th percentile in ms, and what was
refused. Nothing is measured: nodes, threads, loads and queues are simulated.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace

from benchmarks.fleet.policies import POLICIES
from benchmarks.fleet.simulation import Scenario, simulate

SCENARIOS = (
    Scenario(),
    Scenario(room=0.6),
    Scenario(busy=0.5),
    Scenario(zipf=1.3, busy=0.3),
)
SETTINGS = {field.name: type(field.default) for field in fields(Scenario)}


def main(argv: Sequence[str] | None = None) -> None:
    arguments = build_parser().parse_args(argv)
    given = {name: value for name, value in vars(arguments).items() if name in SETTINGS}
    known = {name: value for name, value in given.items() if value is not None}
    scenarios = list(dict.fromkeys(replace(each, **known) for each in SCENARIOS))
    print("| | " + " | ".join(map(str, scenarios)) + " |", flush=True)
    print("| --- |" + " --- |" * len(scenarios), flush=True)
    for name, policy in POLICIES.items():
        if arguments.only in name:
            cells = [str(simulate(each, policy)) for each in scenarios]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """The parser; each setting of a scenario is a flag, which all scenarios then have."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.simulate", description=__doc__
    )
    for name, kind in SETTINGS.items():
        default = getattr(Scenario, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"as in {default}")
    parser.add_argument("--only", default="", help="ways whose names have this in them")
    return parser


if __name__ == "__main__":
    main()

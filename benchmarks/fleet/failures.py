"""What requests notice of a fleet's troubles, as a table: `python -m benchmarks.fleet.failures`.

It wants Ray (`.venv-ray/bin/python`, which `make test-fleet` makes). Machines are simulated, all on
this one. Full capacity means that all nodes and balancers there shall be answer again. The tests
let the same happen, and fail if more is lost than may be.
"""

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path

from tests.support.simulated_fleet import Fleet, save_models
from tests.support.troubles import HEAD, TROUBLES, Outcome, meet


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.failures", description=__doc__
    )
    parser.parse_args()
    warnings.simplefilter("ignore")  # Serve is not in line with the newest pydantic
    logging.disable(logging.WARNING)
    rows: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        save_models(Path(folder))
        fleet = Fleet(Path(folder))
        try:
            for trouble in TROUBLES:
                rows.append(meet(fleet, trouble))
                print(rows[-1], file=sys.stderr, flush=True)
            fleet.deployment.down()
        finally:
            fleet.end()
    print("\n".join([HEAD, *map(str, rows)]))  # at the end, as Ray prints what it notices
    return int(any(each.lost > each.trouble.most_lost for each in rows))


if __name__ == "__main__":
    sys.exit(main())

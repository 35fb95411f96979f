"""All trials, or some of them: python -m tests.chaos --only kill --seconds 10"""

import argparse
import datetime
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.chaos import (
    bodies,
    concurrency,
    deaths,
    devices,
    exhaustion,
    failed_devices,
    files,
    identifiers,
    overload,
    slow_clients,
    stopping,
    surroundings,
    wire,
)
from tests.chaos.stage import Stage
from tests.chaos.table import HEAD, Effort, Row, Rows

# --only matches these names
TRIALS: dict[str, Callable[[Stage], Rows]] = {
    "slow clients": slow_clients.slow_clients,
    "silent": slow_clients.silent,
    "overload": overload.overload,
    "identifiers": identifiers.identifiers,
    "kill": deaths.kill,
    "segfault": deaths.segfault,
    "runaway": deaths.runaway,
    "failed device": failed_devices.failed_device,
    "stop": stopping.stop,
    "bad files": files.bad_files,
    "crashing load": files.crashing_load,
    "replacements": files.replacements,
    "no files": exhaustion.no_files,
    "no files to restart": exhaustion.no_files_to_restart,
    "no disk": exhaustion.no_disk,
    "no memory": exhaustion.no_memory,
    "cold": concurrency.cold,
    "small cache": concurrency.small_cache,
    "stamps": concurrency.stamps,
    "device stamps": devices.device_stamps,
    "unread output": surroundings.unread,
    "stalled disk": surroundings.stalled_disk,
    "stateful": surroundings.stateful,
    "quota": surroundings.quota,
    "mutations": wire.mutations,
    "truncations": wire.truncations,
    "bodies": bodies.bodies,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="trials with it in the name")
    parser.add_argument(
        "--seconds", type=float, default=60, help="the most that a load lasts (default: 60)"
    )
    parser.add_argument(
        "--share", type=float, default=1, help="of the full counts, for a short run (default: 1)"
    )
    arguments = parser.parse_args()
    print_head("tests.chaos")
    effort = Effort(arguments.seconds, arguments.share)
    rows = [
        row
        for name, trial in TRIALS.items()
        if arguments.only in name
        for row in run_trial(name, trial, effort)
    ]
    missed = sum(not row.ok for row in rows)
    print(f"\n{len(rows) - missed} of {len(rows)} hold.")
    return 1 if missed or not rows else 0


def print_head(module: str) -> None:
    """Print the command, the time, the machine and the head of the table."""
    now = datetime.datetime.now(datetime.timezone.utc)
    command = " ".join(["python -m", module, *sys.argv[1:]])
    print(
        f"`{command}`, {now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({platform.machine()}), "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}\n\n{HEAD}",
        flush=True,
    )


def run_trial(name: str, trial: Callable[[Stage], Rows], effort: Effort) -> list[Row]:
    """Run one trial and print its rows; an exception counts as a failed row."""
    rows = []
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            for row in trial(Stage(Path(folder), effort)):
                print(row.text(name), flush=True)
                rows.append(row)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".replace("\n", " ").replace(folder, "…")
            rows.append(Row("the trial ended early", reason[:200], "", False))
            print(rows[-1].text(name), flush=True)
    print(f"{name}: {time.monotonic() - started_s:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    sys.exit(main())

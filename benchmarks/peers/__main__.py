"""Other model servers beside ours, in the same run, one at a time."""

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.load import require_wrk
from benchmarks.peers.environments import programs_of
from benchmarks.peers.measure import Effort, measure
from benchmarks.peers.report import table
from benchmarks.peers.table import Peer, rows
from benchmarks.peers.workloads import Workload, workloads

OUTPUT = Path(".benchmarks")


def main(argv: Sequence[str] | None = None) -> None:
    peers = rows()
    arguments = parse(argv, [peer.name for peer in peers])
    require_wrk()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped
    wanted = [peer for peer in peers if not arguments.only or peer.name in arguments.only]
    effort = Effort(arguments.seconds, arguments.rounds)
    logs = OUTPUT / "peers"
    logs.mkdir(parents=True, exist_ok=True)
    results = [
        result
        for workload in workloads()
        for peer in wanted
        for result in measured(peer, workload, logs, effort)
    ]
    for workload in ("mlp", "image"):
        print(f"\n{table(results, workload)}")
    report = {"effort": dataclasses.asdict(effort), "results": results}
    (OUTPUT / "peers.json").write_text(json.dumps(report, indent=1) + "\n")


def measured(peer: Peer, workload: Workload, logs: Path, effort: Effort) -> list[dict[str, Any]]:
    """One result, or none and a line that says why."""
    print(f"{peer.name}, {workload.name}", file=sys.stderr, flush=True)
    log = logs / f"{peer.name}-{workload.name}.log"
    try:
        figures = measure(peer, workload, programs_of(peer), log, effort)
    except Exception as error:  # whatever one server does, the others are measured
        why = " ".join(str(error).split())
        print(f"{peer.name}, {workload.name}: left out: {why} (its output: {log})", flush=True)
        return []
    facts = {"server": peer.name, "workload": workload.name, "versions": peer.requirements}
    return [{**facts, **figures}]


def parse(argv: Sequence[str] | None, names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--only",
        metavar="NAME[,NAME]",
        type=lambda text: text.split(","),
        help=f"of {', '.join(names)}",
    )
    parser.add_argument("--seconds", type=int, default=2, help="of each round (default: 2)")
    parser.add_argument("--rounds", type=int, default=3, help="the best counts (default: 3)")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.only or ()) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return arguments


if __name__ == "__main__":
    main()

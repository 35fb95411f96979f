"""Other model servers beside ours, in the same run, one at a time.

Every round starts each server anew, so that a noisy moment, or connections that all went to one of
two processes, spoil one round only.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.environments import programs_of
from benchmarks.peers.measure import Figures, measure
from benchmarks.peers.report import Results, result, table
from benchmarks.peers.table import Peer, rows
from benchmarks.peers.workloads import Workload, workloads
from benchmarks.support.load import parser_of, require_wrk

DESCRIPTION = "Other model servers beside ours, in the same run, one at a time."
OUTPUT = Path(".benchmarks")
LOGS = OUTPUT / "peers"


def main(argv: Sequence[str] | None = None) -> None:
    peers = rows()
    arguments = parse(argv, [peer.name for peer in peers])
    require_wrk()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped
    wanted = [peer for peer in peers if not arguments.only or peer.name in arguments.only]
    LOGS.mkdir(parents=True, exist_ok=True)
    results: Results = []
    for workload in workloads():
        results += compare(wanted, workload, arguments.rounds, arguments.seconds)
        print(f"\n{table(results, workload.name)}\n", flush=True)
    report = {"seconds": arguments.seconds, "rounds": arguments.rounds, "results": results}
    (OUTPUT / "peers.json").write_text(json.dumps(report, indent=1) + "\n")


def compare(peers: list[Peer], workload: Workload, rounds: int, seconds: int) -> Results:
    """Run all rounds of all servers; a server that fails is skipped from then on."""
    measured: dict[Peer, list[Figures]] = {peer: [] for peer in peers}
    failed = set()
    for number in range(1, rounds + 1):
        for peer in peers:
            if peer in failed:
                continue
            print(f"{workload.name}, round {number}: {peer.name}", file=sys.stderr, flush=True)
            log = LOGS / f"{peer.name}-{workload.name}.log"
            try:
                figures = measure(peer, workload, programs_of(peer), log, seconds)
            except Exception as error:  # one server's failure must not stop the others
                failed.add(peer)
                why = " ".join(str(error).split())
                print(f"{peer.name} is left out: {why} (its output: {log})", flush=True)
            else:
                measured[peer].append(figures)
    return [result(peer, workload, figures) for peer, figures in measured.items() if figures]


def parse(argv: Sequence[str] | None, names: list[str]) -> argparse.Namespace:
    parser = parser_of("peers", DESCRIPTION, rounds=3)
    parser.add_argument(
        "--only",
        metavar="NAME[,NAME]",
        type=lambda text: text.split(","),
        help=f"of {', '.join(names)}",
    )
    arguments = parser.parse_args(argv)
    unknown = set(arguments.only or ()) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return arguments


if __name__ == "__main__":
    main()

"""The results of `python -m benchmarks.peers` -> Markdown tables."""

from typing import Any

from benchmarks.peers.measure import Figures
from benchmarks.peers.table import Peer
from benchmarks.peers.workloads import Workload

Results = list[dict[str, Any]]


def result(peer: Peer, workload: Workload, figures: list[Figures]) -> dict[str, Any]:
    """All rounds of one server, ready for JSON, where numbers of connections are text."""
    return {
        "server": peer.name,
        "workload": workload.name,
        "versions": peer.requirements,
        "start_s": [figure.start_s for figure in figures],
        "memory_mb": [figure.memory_mb for figure in figures],
        "rounds": {
            str(count): [figure.rounds[count] for figure in figures]
            for count in workload.connections
        },
    }


def table(results: Results, workload: str) -> str:
    """One workload: requests/s for each number of connections, in brackets p50 and p99 in ms."""
    chosen = [result for result in results if result["workload"] == workload]
    if not chosen:
        return ""
    connections = list(chosen[0]["rounds"])
    heads = [workload, *(f"{count} connections" for count in connections), "PSS, MB", "start, s"]
    lines = [heads, ["---"] * len(heads)]
    for row in chosen:
        cells = [cell(*best(row["rounds"][count])) for count in connections]
        lines.append(
            [row["server"], *cells, f"{max(row['memory_mb']):,.0f}", f"{min(row['start_s']):.1f}"]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def best(rounds: list[list[float]]) -> list[float]:
    """The round with the most requests/s: noise only ever slows down."""
    return max(rounds)


def cell(rate: float, p50: float, p99: float) -> str:
    return f"{digits(rate)} ({digits(p50)}, {digits(p99)})"


def digits(number: float) -> str:
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"

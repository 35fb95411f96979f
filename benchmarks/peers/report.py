"""The results of `python -m benchmarks.peers` -> Markdown tables."""

from typing import Any

Results = list[dict[str, Any]]


def table(results: Results, workload: str) -> str:
    """One workload: requests/s for each number of connections, in brackets p50 and p99 in ms."""
    chosen = [result for result in results if result["workload"] == workload]
    if not chosen:
        return ""
    connections = list(chosen[0]["runs"])
    heads = [f"{workload}: server", *(f"{c} conn." for c in connections), "PSS MB", "start s"]
    lines = [heads, ["---"] * len(heads)]
    for result in chosen:
        cells = [cell(*best(result["runs"][c])) for c in connections]
        figures = [f"{result['memory_mb']:,.0f}", f"{result['start_s']:.1f}"]
        lines.append([result["server"], *cells, *figures])
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

"""Throughput of a server through the balancer, beside the same server without it.

Load, balancer and server share the cores of one machine, where the balancer costs most; both ways
are measured in turn, several times. Rates are the best of each, ratios the median of all rounds.
"""

import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.fleet.haproxy import balanced
from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import load, parser_of, require_wrk, write_script
from benchmarks.support.payloads import IMAGE_BODY, SMALL_BODY, conv, mlp
from benchmarks.support.process import start

FLAGS = ("--port", "{port}", "--log-level", "warning", "--forwarded-allow-ips", "127.0.0.1")


class Row(NamedTuple):
    model: str
    connections: int
    least: float  # of the plain server's throughput


ROWS = (Row("mlp", 8, 0.6), Row("mlp", 64, 0.6), Row("image", 4, 0.7))
BODIES = {"mlp": SMALL_BODY, "image": IMAGE_BODY}


def main() -> None:
    arguments = parser_of("fleet.balancer", __doc__, rounds=5).parse_args()
    require_wrk()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mlp().save(folder / "mlp.pt")
        conv().save(folder / "image.pt")
        with (
            start("torch_serving", name, *FLAGS) as node,
            start("torch_serving", name, *FLAGS) as other,
            balanced([node.port, other.port]) as port,
        ):
            print(
                "| model | connections | plain | through HAProxy | ratio | p50, p99 ms | target |"
            )
            print("| --- | --- | --- | --- | --- | --- | --- |")
            for row in ROWS:
                print(compared(row, folder, node.port, port, arguments.rounds, arguments.seconds))


def compared(row: Row, folder: Path, plain: int, balancer: int, rounds: int, seconds: int) -> str:
    """Load both in turn, and return the line of the table."""
    script = write_script(folder / f"{row.model}.lua", BODIES[row.model])
    best = dict.fromkeys((plain, balancer), (0.0, 0.0, 0.0))
    ratios = []
    for _ in range(rounds):
        rates = []
        for port in best:
            url = f"http://127.0.0.1:{port}/serve?servable_identifier={row.model}.pt"
            measured = load(url, row.connections, script, seconds)
            best[port] = max(best[port], measured)
            rates.append(measured[0])
        ratios.append(rates[1] / rates[0])
    ratio = median(ratios)
    record(f"{row.model} behind HAProxy / plain, {row.connections}", Ratio(ratio, "more"))
    times = " / ".join(f"{p50:.1f}, {p99:.1f}" for _, p50, p99 in (best[balancer], best[plain]))
    return (
        f"| {row.model} | {row.connections} | {best[plain][0]:,.0f} | {best[balancer][0]:,.0f} | "
        f"{ratio:.2f} | {times} | >= {row.least} |"
    )


if __name__ == "__main__":
    main()

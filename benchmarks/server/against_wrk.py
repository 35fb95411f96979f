"""The generator of `torch-serving bench` beside wrk on one server, and what a pause does to it.

Both put the same load on the server in turn, several times; the median of the ratios counts. Then
the server is stopped for a second, under a closed loop and under an open one.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import require_wrk
from benchmarks.support.payloads import mlp
from torch_serving.bench.address import Address
from torch_serving.bench.load import Load
from torch_serving.bench.measurement import Measurement, measure
from torch_serving.bench.own_server import own_server
from torch_serving.bench.requests import Request
from torch_serving.bench.target import Target
from torch_serving.bench.wrk import measure_with_wrk

CONNECTIONS = (1, 8, 64)
PAUSE_S = 1.0
PAUSED = Load(connections=64, seconds=5.0)
RATE = 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server.against_wrk", description=__doc__
    )
    parser.add_argument("--seconds", type=int, default=2, help="of each load (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    arguments = parser.parse_args()
    require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "mlp.pt"
        mlp().save(model)
        with own_server([str(model), "--port", "0"], Address("http://127.0.0.1:0")) as server:
            target = Request(model.name).target_at(server.address)
            compare(target, arguments.rounds, arguments.seconds)
            pause(target, server.pid)


def compare(target: Target, rounds: int, seconds: float) -> None:
    print("\n| connections | own | wrk | own / wrk | p50 own, wrk ms | p99 own, wrk ms", end="")
    print(" | busy, waited % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for connections in CONNECTIONS:
        load = Load(connections, seconds=seconds)
        pairs = [(measure(target, load), measure_with_wrk(target, load)) for _ in range(rounds)]
        ratio = median(own.rate / wrk.rate for own, wrk in pairs)
        record(f"own generator / wrk, {connections} connections", Ratio(ratio, "more"))
        own, wrk = ([pair[at] for pair in pairs] for at in (0, 1))
        busy = max(each.generator.busy_share for each in own)
        waited = max(each.generator.waited_share for each in own)
        print(
            f"| {connections} | {middle(own, 0):,.0f} | {middle(wrk, 0):,.0f} | {ratio:.2f} "
            f"| {middle(own, 50):.2f}, {middle(wrk, 50):.2f} "
            f"| {middle(own, 99):.2f}, {middle(wrk, 99):.2f} "
            f"| {busy * 100:.0f}, {waited * 100:.0f} |",
            flush=True,
        )


def middle(measurements: list[Measurement], percentile: float) -> float:
    """The median of a percentile; of 0, that of the throughput."""
    return median(
        each.percentile_ms(percentile) if percentile else each.rate for each in measurements
    )


def pause(target: Target, server: int) -> None:
    """The server stops in the midst of a load."""
    print(f"\n| stopped for {PAUSE_S:g} s | requests | p50 | p99 | max ms | took 100 ms or more |")
    print("| --- | --- | --- | --- | --- | --- |")
    loads = {
        "closed loop, 64 connections": PAUSED,
        f"open loop, {RATE:,g} requests/s": Load(PAUSED.connections, RATE, PAUSED.seconds),
    }
    for name, load in loads.items():
        thread = threading.Thread(target=stop_for_a_while, args=(server,))
        thread.start()
        found = measure(target, load)
        thread.join()
        times = [found.percentile_ms(50), found.percentile_ms(99), found.latencies.max_ms]
        shown = " | ".join(f"{each:,.1f}" for each in times)
        slow = found.latencies.slower_than(100)
        print(f"| {name} | {found.latencies.count:,} | {shown} | {slow:,} |", flush=True)


def stop_for_a_while(server: int) -> None:
    """Stop the server with its workers, which are all of its session."""
    time.sleep(PAUSED.warm_up_s + PAUSED.seconds / 2)
    os.killpg(server, signal.SIGSTOP)
    time.sleep(PAUSE_S)
    os.killpg(server, signal.SIGCONT)


if __name__ == "__main__":
    main()

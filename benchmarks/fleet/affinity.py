"""Hits of caches that hold a quarter of the models each, by the way requests are balanced.

Clients send requests at random times, whatever the answers (an open loop). A hit is a request that
did not wait for its model to be loaded, as the nodes count it.
"""

import argparse
import random
import re
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import accumulate
from pathlib import Path
from threading import local
from typing import NamedTuple

from benchmarks.fleet.haproxy import balanced
from benchmarks.support.compare import Ratio, record
from benchmarks.support.payloads import SMALL_BODY, mlp
from benchmarks.support.process import Running, start
from torch_serving.haproxy import Fleet

NODES, MODELS, CAPACITY = 4, 40, 10
FLAGS = ("--port", "{port}", "--log-level", "warning", "--no-trial-load", "--threads", "1")
CACHE = ("--model-capacity", str(CAPACITY), "--buffer-size", "0")
CLIENTS = 32
COUNTERS = ("torch_serving_requests_total", "torch_serving_load_waits_total")
LEAST = 0.82


class Way(NamedTuple):
    fleet: Fleet  # without its nodes
    balance: str = ""  # instead of hashing


ANYWHERE = Fleet(slots=1)
WAYS = {
    "hashing, 300": Way(ANYWHERE),
    "hashing, 150": Way(Fleet(slots=1, balance_factor=150)),
    "hashing, no bound": Way(Fleet(slots=1, balance_factor=0)),
    "least connections": Way(ANYWHERE, "leastconn"),
    "round robin": Way(ANYWHERE, "roundrobin"),
    "the better of two": Way(ANYWHERE, "random(2)"),
}


class Counts(NamedTuple):
    requests: list[float]  # of each node
    waits: float


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.affinity", description=__doc__
    )
    parser.add_argument("--rate", type=float, default=50, help="requests a second (default: 50)")
    parser.add_argument("--seconds", type=float, default=20, help="of each way (default: 20)")
    parser.add_argument("--only", default="", help="ways whose names have this in them")
    arguments = parser.parse_args()
    print("| balance | hits | busiest / mean | p50, p99 ms | target |", flush=True)
    print("| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(MODELS):
            mlp().save(Path(folder, name_of(number)))
        for name, way in WAYS.items():
            if arguments.only in name:
                print(measured(name, way, folder, arguments.rate, arguments.seconds), flush=True)


def name_of(number: int) -> str:
    return f"m{number:02d}.pt"


def measured(name: str, way: Way, folder: str, rate: float, seconds: float) -> str:
    """Start a fleet, warm it up with as many requests as are counted then; return its line."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(start("torch_serving", folder, *FLAGS, *CACHE))
            for _ in range(NODES)
        ]
        ports = [node.port for node in nodes]
        port = stack.enter_context(balanced(ports, way.fleet, way.balance))
        send(port, rate, seconds, seed=1)
        before = counts_of(nodes)
        latencies = sorted(send(port, rate, seconds, seed=2))
        after = counts_of(nodes)
    served = [new - old for new, old in zip(after.requests, before.requests, strict=True)]
    hits = 1 - (after.waits - before.waits) / sum(served)
    record(f"hits, {name}", Ratio(hits, "more"))
    times = ", ".join(f"{1000 * latencies[int(q * len(latencies))]:.0f}" for q in (0.5, 0.99))
    target = f">= {LEAST}" if way == WAYS["hashing, 300"] else ""
    return f"| {name} | {hits:.2f} | {max(served) * NODES / sum(served):.1f} | {times} | {target} |"


def send(port: int, rate: float, seconds: float, seed: int) -> list[float]:
    """Send requests at random times, the first models most often; return their latencies."""
    rng = random.Random(seed)
    names = [name_of(number) for number in range(MODELS)]
    random.Random(0).shuffle(names)
    weights = list(accumulate(1 / rank for rank in range(1, MODELS + 1)))
    kept = local()

    def ask(due_s: float, name: str) -> float:
        if not hasattr(kept, "connection"):
            kept.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        kept.connection.request("POST", f"/serve?servable_identifier={name}", SMALL_BODY)
        with kept.connection.getresponse() as response:
            if response.read() and response.status != 200:
                raise RuntimeError(f"{name}: {response.status}")
        return time.monotonic() - due_s

    with ThreadPoolExecutor(CLIENTS) as clients:
        started_s = due_s = time.monotonic()
        answers = []
        while due_s < started_s + seconds:
            due_s += rng.expovariate(rate)
            time.sleep(max(0.0, due_s - time.monotonic()))
            [name] = rng.choices(names, cum_weights=weights)
            answers.append(clients.submit(ask, due_s, name))
        return [answer.result() for answer in answers]


def counts_of(nodes: Sequence[Running]) -> Counts:
    totals: list[list[float]] = []
    for node in nodes:
        with urllib.request.urlopen(node.url("/metrics")) as response:
            text = response.read().decode()
        found = [re.findall(rf"^{each}\{{.*\}} (\S+)$", text, re.MULTILINE) for each in COUNTERS]
        totals.append([sum(map(float, values)) for values in found])
    return Counts([requests for requests, _ in totals], sum(waits for _, waits in totals))


if __name__ == "__main__":
    main()

"""A worker's memory, files and threads must not grow with requests, disconnects or loads.

    python -m tests.chaos.soak

In the second half of each phase, memory may grow by 5 % and open files not at all. Threads may grow
up to the size of the pools, which start threads when they are first needed. Servers with a planted
leak then go through the same check, which must catch them.
"""

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.chaos.__main__ import print_head
from tests.chaos.load import Ask, LoadConnection, Reply, ask_counted
from tests.chaos.slow_clients import GOOD
from tests.chaos.stage import MEBIBYTE, Server, Stage
from tests.chaos.table import Effort, Row, Rows
from tests.support.client import RawConnection, in_threads, raw_request, scalar, tensor, with_length
from torch_serving.models.load_queue import THREADS

REQUESTS, DISCONNECTS, LOADS, CLIENTS = 100_000, 10_000, 10_000, 4
MOST_GROWTH = 0.05
CAPACITY = 3
POOLS = THREADS + min(32, (os.cpu_count() or 1) + 4)  # of loads, and of asyncio
FLAGS = ("--model-capacity", str(CAPACITY), "--buffer-size", "0")
LEAKS = ("memory=1024", "files=1000", "threads=1000")
ONE = json.dumps([tensor([1], [1.0])]).encode()


def serve(body: bytes, query: str = "servable_identifier=mlp.pt") -> bytes:
    return with_length(body, f"/serve?{query}")


# (request, expected status)
BAD = (
    (serve(b"{"), 400),
    (serve(b""), 400),
    (serve(b"[" * 1000), 400),
    (serve(b'[{"type":"tensor","shape":[3],"value":[1,2]}]'), 400),
    (serve(b'[{"type":"tensor","value":[1e999]}]'), 400),
    (serve(b'[{"type":"tensor","value":[1],"data_type":"float31"}]'), 400),
    (serve(b"[" + b"1" * 10_000 + b"]"), 400),
    (serve(b'["\xff"]'), 400),
    (serve(ONE, "servable_identifier=none.pt"), 400),
    (serve(ONE, "servable_identifier=../mlp.pt"), 400),
    (serve(ONE, "servable_identifier=mlp.pt&method=none"), 400),
    (serve(ONE, "servable_identifier=mlp.pt&device=warp"), 400),
    (serve(ONE, ""), 400),
    (serve(json.dumps([tensor([1, 1], [1.0]), scalar(1, "int")]).encode(),
           "servable_identifier=raising.pt"), 500),
    (raw_request(method="GET", target="/nowhere"), 404),
    (raw_request(method="DELETE", target="/serve"), 405),
    (raw_request(b"", "Content-Length: x"), 400),
    (raw_request(ONE, f"Content-Length: {len(ONE)}", "Content-Encoding: gzip"), 400),
)  # fmt: skip


def good(connection: LoadConnection, index: int) -> Reply:
    return connection.ask(GOOD)


def bad(connection: LoadConnection, index: int) -> Reply:
    request, status = BAD[index % len(BAD)]
    reply = connection.ask(request)
    return Reply(200) if reply.status == status else reply


def loaded(connection: LoadConnection, index: int) -> Reply:
    """Request the least recently used model, which was evicted."""
    return connection.ask(serve(ONE, f"servable_identifier=cycled{index % (CAPACITY + 1)}.pt"))


class Phase(NamedTuple):
    name: str
    count: int
    run: Callable[[Server, int], int]  # (server, count) -> number of failures


def asked(ask: Ask, clients: int = CLIENTS) -> Callable[[Server, int], int]:
    return lambda server, count: len(ask_counted(server.url, ask, clients, count))


def disconnect(server: Server, count: int) -> int:
    """Disconnect within the head, within the body, and before the response."""

    def run(client: int) -> None:
        for index in range(client, count, CLIENTS):
            with RawConnection(server.url) as connection:
                connection.send(GOOD[: (30, len(GOOD) - 5, len(GOOD))[index % 3]])

    in_threads(CLIENTS, run)
    return 0


PHASES = (
    Phase("good requests", REQUESTS, asked(good)),
    Phase("bad requests", REQUESTS, asked(bad)),
    Phase("disconnects", DISCONNECTS, disconnect),
    Phase("loads and evictions", LOADS, asked(loaded, clients=1)),
)


class Held(NamedTuple):
    """Resources of a server's workers."""

    memory: int
    files: int
    threads: int


def held(server: Server, most_files: float = math.inf) -> Held:
    """Measure once the server is idle: its connections have closed.

    While more files than `most_files` are open, they may only be late.
    """
    files, before = server.open_files(), -1
    for _ in range(100):
        if files == before and files <= most_files:
            break
        time.sleep(0.3)
        files, before = server.open_files(), files
    return Held(server.resident_bytes(), files, server.status("Threads"))


def grown(middle: Held, end: Held, most_threads: int) -> list[str]:
    """The resources that grew beyond their bounds."""
    found = ["memory"] if end.memory > middle.memory * (1 + MOST_GROWTH) else []
    found += ["files"] if end.files > middle.files else []
    return found + (["threads"] if end.threads > max(middle.threads, most_threads) else [])


def soaked(stage: Stage, server: Server, phases: tuple[Phase, ...] = PHASES) -> Rows:
    """A row for each phase; `ok` means that nothing grew and nothing failed."""
    for number in range(CAPACITY + 1):
        shutil.copy(stage.root / "echo.pt", stage.root / f"cycled{number}.pt")
    pids = server.pids()
    most_threads = server.status("Threads") + POOLS
    for phase in phases:
        count = stage.effort.count(phase.count, 200)
        wrong = phase.run(server, count // 2)
        middle = held(server)
        wrong += phase.run(server, count - count // 2)
        end = held(server, middle.files)
        problem = server.check(pids)
        growth = end.memory / middle.memory - 1
        figure = (
            f"{middle.memory / MEBIBYTE:.1f} to {end.memory / MEBIBYTE:.1f} MiB ({growth:+.1%}), "
            f"{middle.files} to {end.files} files, {middle.threads} to {end.threads} threads, "
            f"{wrong} wrong responses"
        )
        fine = not grown(middle, end, most_threads) and not wrong and not problem
        bound = f"+5 %, +0, at most {most_threads}, 0"
        yield Row(f"{count:,} {phase.name}", problem or figure, bound, fine)


def planted(stage: Stage, leak: str) -> Row:
    """The same check on a server that leaks; here `ok` means that the leak was caught."""
    paths = {"PYTHONPATH": str(Path(__file__).parents[2]), "CHAOS_LEAK": leak}
    with stage.server(*FLAGS, module="tests.chaos.leaking", **paths) as server:
        [row] = soaked(stage, server, PHASES[:1])
    return Row(f"{row.done}, planted leak {leak}", row.figure, "caught", not row.ok)


def soak(stage: Stage, leaks: tuple[str, ...] = LEAKS) -> Rows:
    with stage.server(*FLAGS) as server:
        yield from soaked(stage, server)
    for leak in leaks:
        yield planted(stage, leak)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--share", type=float, default=1, help="of the full counts (default: 1)")
    arguments = parser.parse_args()
    print_head("tests.chaos.soak")
    missed = 0
    with TemporaryDirectory() as folder:
        for row in soak(Stage(Path(folder), Effort(share=arguments.share))):
            print(row.text("soak"), flush=True)
            missed += not row.ok
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

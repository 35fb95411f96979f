"""A log reader or a disk that stalls, a quota of CPU time, and models that keep a state."""

import fcntl
import functools
import gzip
import json
import os
import re
import time
from typing import BinaryIO

import torch

from tests.chaos.load import Load, LoadConnection, Reply, ask_counted, failures
from tests.chaos.slow_clients import GOOD
from tests.chaos.stage import FEATURES, Server, Stage
from tests.chaos.table import Row, Rows
from tests.support.client import Client, in_threads, raw_request, tensor, with_length
from tests.support.process import wait_until

CLIENTS, STATEFUL, QUESTIONS, LIMIT_S = 64, 100_000, 20, 2
PIPE_BYTES = 4096  # the least: it is soon full
DROPPED = re.compile(r"torch_serving_log_dropped_total(?:{[^}]*})? ([0-9.e+]+)")


class UnreadServer(Server):
    """Nobody reads its standard output after the first line."""

    def open_stdout(self) -> BinaryIO:
        self._reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return open(writing, "wb")

    @functools.cached_property
    def url(self) -> str:
        line = b""
        while b"\n" not in line and (more := os.read(self._reading, 1000)):
            line += more
        assert b" on http://" in line, self.stderr
        return line.decode().split(" on ")[1].split()[0]

    def end(self) -> None:
        super().end()
        os.close(self._reading)


def unread(stage: Stage) -> Rows:
    """Standard output is a pipe that nobody reads, under load."""
    seconds = stage.effort.time(60)
    with stage.server(kind=UnreadServer) as server:
        pids = server.pids()
        with Load(server.url, GOOD, 8) as load:
            time.sleep(seconds)
            wait_until(lambda: dropped_lines(server) > 0)  # a buffer takes the first ones
        samples = load.all()
        failed = failures(samples)
        dropped = dropped_lines(server)
        problem = server.check(pids)
        server.signal()
        code = server.exit_code()
    done = f"standard output not read for {seconds:.0f} s, {len(samples)} requests"
    figure = f"{failed} failed, {dropped:.0f} lines dropped; exit code {code}"
    fine = failed == 0 and dropped > 0 and code == 0 and not problem
    yield Row(done, problem or figure, "0, some; 0", fine)


def dropped_lines(server: Server) -> float:
    return sum(map(float, DROPPED.findall(got(server, "/metrics").body.decode())))


def stalled_disk(stage: Stage) -> Rows:
    """A FIFO and a folder on a disk that no longer answers are among the models."""
    (stage.root / "hung").mkdir()
    for name in ("hung/mlp.pt", "cold.pt"):
        (stage.root / name).write_bytes((stage.root / "mlp.pt").read_bytes())
    os.mkfifo(stage.root / "pipe.pt")
    stalled = stage.root.parent / "stalled"
    flags = ("--request-timeout", str(LIMIT_S), "--shutdown-timeout", str(LIMIT_S))
    module = "tests.chaos.hung_folder"
    with stage.server(*flags, module=module, STALLED=str(stalled)) as server:
        pids = server.pids()
        listed = {each["identifier"] for each in json.loads(got(server, "/models").body)["models"]}
        stalled.touch()
        on_it = in_threads(QUESTIONS, functools.partial(ask_stalled, server))
        beside = beside_stalled(server)
        problem = server.check(pids)
        started_s = time.monotonic()
        server.signal()
        code = server.exit_code()
        took_s = time.monotonic() - started_s
    fine = "hung/mlp.pt" in listed and "pipe.pt" not in listed and not problem
    yield Row("a FIFO, and a folder of a disk that answers", problem or "listed", "listed", fine)
    done = f"the disk no longer answers: {QUESTIONS} questions about its models and to all"
    yield Row(done, f"{sorted(set(on_it))}", "[503, 504]", set(on_it) <= {503, 504})
    done = "meanwhile: a loaded, a cold and a packed request, metrics, another model's status"
    yield Row(done, f"{beside}", "200 each", set(beside) == {200})
    yield Row("SIGTERM meanwhile", f"exit code {code}", "0", code == 0)
    bound = f"< {LIMIT_S} s + 1 s"
    yield Row("SIGTERM meanwhile", f"{took_s:.1f} s", bound, took_s < LIMIT_S + 1, timed=True)


def ask_stalled(server: Server, index: int) -> int:
    targets = ("/models", "/v2/models", "/models/hung/mlp.pt", "/openapi.json")
    if index % 5 == 0:
        with Client(server.url) as client:
            return client.post("hung/mlp.pt", FEATURES).status
    return got(server, targets[index % len(targets)]).status


def got(server: Server, target: str) -> Reply:
    with LoadConnection(server.url) as connection:
        return connection.ask(raw_request(method="GET", target=target))


def beside_stalled(server: Server) -> list[int]:
    packed = gzip.compress(json.dumps(FEATURES).encode())
    with Client(server.url) as client:
        return [
            client.post("mlp.pt", FEATURES).status,
            client.post("cold.pt", FEATURES).status,
            client.post("mlp.pt", packed, {"Content-Encoding": "gzip"}).status,
            got(server, "/metrics").status,
            got(server, "/models/mlp.pt").status,
        ]


class Filling(torch.nn.Module):
    """Writes its argument to a buffer, and returns that."""

    work: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("work", torch.zeros(1, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.work.copy_(x)
        return self.work


class Remembering(torch.nn.Module):
    """Keeps its last arguments in a dictionary between calls."""

    seen: dict[int, torch.Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.seen = {0: torch.zeros(1)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        key = int(x[0, 0].item())
        self.seen[key] = x * 1
        if len(self.seen) > 50:
            self.seen.clear()
            self.seen[key] = x * 1
        return self.seen[key]


def stateful(stage: Stage) -> Rows:
    """Models that keep a state between calls, under many clients with numbers of their own."""
    count = stage.effort.count(STATEFUL, 1000)
    for name, model in (("filling.pt", Filling()), ("remembering.pt", Remembering())):
        torch.jit.script(model).save(stage.root / name)
        for flags in (("--batch", "*"), ("--workers", "2")):
            yield asked_numbers(stage, name, flags, count)


def asked_numbers(stage: Stage, name: str, flags: tuple[str, ...], count: int) -> Row:
    def ask(connection: LoadConnection, index: int) -> Reply:
        values = [float(index)] * 8
        body = json.dumps([tensor([1, 8], values)]).encode()
        reply = connection.ask(with_length(body, f"/serve?servable_identifier={name}"))
        right = reply.status == 200 and json.loads(reply.body)["result"]["value"] == values
        return reply if right else Reply(reply.status if reply.status != 200 else 999)

    with stage.server("--log-level", "warning", *flags) as server:
        pids = server.pids()
        wrong = ask_counted(server.url, ask, CLIENTS, count)
        problem = server.check(pids)
    done = f"{name}, {CLIENTS} clients, {' '.join(flags)}, {count} requests"
    return Row(done, problem or f"{len(wrong)} wrong", "0", not wrong and not problem)


def quota(stage: Stage) -> Rows:
    """16 cores, of which a container may use some time."""
    for cpu_max, expected in (("max 100000", 16), ("200000 100000", 2), ("50000 100000", 1)):
        with stage.server(module="tests.chaos.quota", CPU_MAX=cpu_max) as server:
            threads = int(re.search(r"(\d+) threads?", server.stdout)[1])  # type: ignore[index]
        done = f"16 cores, cpu.max {cpu_max}"
        fine = threads == min(expected, 8)
        yield Row(done, f"{threads} executor threads", str(min(expected, 8)), fine)

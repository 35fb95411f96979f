"""Concurrent requests: for one cold model, for more models than fit in memory, in one batch."""

import json
import random

import torch

from tests.chaos.load import LoadConnection, Reply, ask_counted
from tests.chaos.stage import MEBIBYTE, Stage
from tests.chaos.table import Row, Rows
from tests.support.client import Client, in_threads, raw_request, scalar, tensor, with_length
from tests.support.servables import scripted

CLIENTS, STAMPS, STAMPERS = 64, 1_000_000, 8
SWITCHES, SWITCHERS, MODELS = 4_000, 8, 3
WEIGHTS = 4 * MEBIBYTE  # numbers, of four bytes each
ANNOUNCING = (
    "n: int",
    "int",
    "if n == 0:\n        print('loaded {0}')\n    return n",
)


def cold(stage: Stage) -> Rows:
    """64 clients request a model that is not loaded. Its warm-up prints, so loads are counted."""
    for name in ("alone", "asked"):
        arguments, result, body = ANNOUNCING
        scripted(arguments, result, body.format(name)).save(stage.root / f"{name}.pt")
        line = json.dumps([scalar(0, "int")])
        (stage.root / f"{name}.warmup.json").write_text(line)

    with stage.server() as server:
        pids = server.pids()

        def ask(name: str) -> int:
            with Client(server.url) as client:
                return client.post(name, [scalar(1, "int")]).status

        ask("alone.pt")
        statuses = in_threads(CLIENTS, lambda _: ask("asked.pt"))
        missing = set(in_threads(CLIENTS, lambda _: ask("void.pt")))
        problem = server.check(pids)
        server.signal()
        server.exit_code()  # all is printed by now
        loads = server.stdout.count("loaded asked") / server.stdout.count("loaded alone")
    done = f"{CLIENTS} clients, one cold model"
    figure = f"{loads:g} loads, {statuses.count(200)} × 200; of one that is none: {missing}"
    fine = loads == 1 and set(statuses) == {200} and missing == {400} and not problem
    yield Row(done, problem or figure, "1, all; {400}", fine)


class Weighty(torch.nn.Module):
    """16 MiB of weights, each of which is the result."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full([WEIGHTS], float(number)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0 + self.weight[-1]


def small_cache(stage: Stage) -> Rows:
    """The cache holds one model; eight threads request three."""
    for number in range(MODELS):
        torch.jit.script(Weighty(number)).save(stage.root / f"weighty{number}.pt")
    body = json.dumps([tensor([1], [1.0])]).encode()

    def ask(connection: LoadConnection, index: int) -> Reply:
        number = random.Random(index).randrange(MODELS)
        reply = connection.ask(with_length(body, f"/serve?servable_identifier=weighty{number}.pt"))
        right = reply.status == 200 and json.loads(reply.body)["result"]["value"] == [number]
        return reply if right else Reply(reply.status if reply.status != 200 else 999)

    count = stage.effort.count(SWITCHES, 100)
    flags = ("--model-capacity", "1", "--buffer-size", "0", "--log-level", "warning")
    with stage.server(*flags) as server:
        pids = server.pids()
        before = server.resident_bytes()
        server.forget_peak()
        wrong = ask_counted(server.url, ask, SWITCHERS, count)
        peak = (server.status("VmHWM") * 1024 - before) / (4 * WEIGHTS)
        problem = server.check(pids)
    done = f"capacity 1, {MODELS} models of 16 MiB, {SWITCHERS} threads, {count} requests"
    figure = f"{len(wrong)} wrong; memory for {peak:.1f} models at most"
    bound = f"0; {1 + SWITCHERS + 2}"
    fine = not wrong and peak <= 1 + SWITCHERS + 2 and not problem
    yield Row(done, problem or figure, bound, fine)


def stamps(stage: Stage) -> Rows:
    """On executor threads, and with a part of the requests on the executor of a device."""
    yield stamped(stage, "torch_serving", stage.effort.count(STAMPS, 2000))
    yield stamped(stage, "tests.chaos.late_device", stage.effort.count(STAMPS // 10, 2000))


def stamped(stage: Stage, module: str, count: int) -> Row:
    """Each request carries a unique value; one in fifty is invalid. They run in batches."""
    target = "/serve?servable_identifier=stamped.pt"

    def ask(connection: LoadConnection, index: int) -> Reply:
        bad = index % 50 == 7
        value = f"{index},{index // 1000},{-1 if bad else 7}"
        body = f'[{{"type":"tensor","data_type":"int64","shape":[1,3],"value":[{value}]}}]'
        reply = connection.ask(with_length(body.encode(), target))
        if bad:
            return Reply(200) if reply.status == 500 else Reply(999)
        return reply if value.encode() in reply.body else Reply(reply.status or 999)

    flags = ("--batch", "stamped.pt", "--log-level", "warning")
    with stage.server(*flags, module=module) as server:
        pids = server.pids()
        wrong = ask_counted(server.url, ask, STAMPERS, count)
        with LoadConnection(server.url) as connection:
            reply = connection.ask(raw_request(method="GET", target="/metrics"))
        together = runs_together(reply.body.decode())
        problem = server.check(pids)
    done = f"{STAMPERS} clients with stamps, batches on, 1 in 50 bad, {count} requests, {module}"
    figure = f"{len(wrong)} wrong, {together} batches of two or more"
    return Row(done, problem or figure, "0, some", not wrong and together > 0 and not problem)


def runs_together(metrics: str) -> int:
    """How many runs there were of two requests or more."""
    labels = 'method="forward",model="stamped.pt"'
    name = "torch_serving_batch_size"
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith(name))
    alone = values[f'{name}_bucket{{le="1",{labels}}}']
    return int(float(values[f"{name}_count{{{labels}}}"]) - float(alone))

"""Names of models that do not exist, and more models than fit in the cache."""

import json
import shutil

from tests.chaos.load import Ask, LoadConnection, Reply, ask_counted
from tests.chaos.stage import FEATURES, Server, Stage
from tests.chaos.table import Row, Rows
from tests.support.client import with_length

UNKNOWN, LOADS, CAPACITY, CLIENTS = 100_000, 2_000, 3, 4
MOST_GROWTH = 0.05
BODY = json.dumps(FEATURES).encode()


def identifiers(stage: Stage) -> Rows:
    """Memory does not grow with the number of names requested, nor with loads."""
    for number in range(CAPACITY + 1):
        shutil.copy(stage.root / "mlp.pt", stage.root / f"cycled{number}.pt")
    flags = ("--model-capacity", str(CAPACITY), "--buffer-size", "0", "--log-level", "warning")
    with stage.server(*flags) as server:
        count = stage.effort.count(UNKNOWN, 1000)
        yield grown(server, unknown, CLIENTS, count, f"{count} unknown identifiers", 400)
        count = stage.effort.count(LOADS, 200)
        done = f"{count} loads of {CAPACITY + 1} models in a cache of {CAPACITY}"
        yield grown(server, cycled, 1, count, done, 200)


def grown(server: Server, ask: Ask, clients: int, count: int, done: str, status: int) -> Row:
    """Memory after a third of the requests, and after all of them."""
    pids = server.pids()
    ask_counted(server.url, ask, clients, count // 3)
    before = server.resident_bytes()
    unusual = ask_counted(server.url, ask, clients, count - count // 3)
    growth = server.resident_bytes() / before - 1
    wrong = sum(reply.status != status for reply in unusual)
    if status != 200:
        wrong += count - count // 3 - len(unusual)
    figure = f"{growth:+.1%} memory, {wrong} responses other than {status}"
    problem = server.check(pids)
    fine = growth < MOST_GROWTH and not wrong and not problem
    return Row(done, problem or figure, f"< {MOST_GROWTH:.0%}, none", fine)


def unknown(connection: LoadConnection, index: int) -> Reply:
    return connection.ask(with_length(BODY, f"/serve?servable_identifier=no/such{index}.pt"))


def cycled(connection: LoadConnection, index: int) -> Reply:
    """Request the least recently used model, which was evicted."""
    target = f"/serve?servable_identifier=cycled{index % (CAPACITY + 1)}.pt"
    return connection.ask(with_length(BODY, target))

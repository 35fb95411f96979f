"""SIGTERM while there is work."""

import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.chaos.load import LoadConnection, Reply
from tests.chaos.slow_clients import GOOD
from tests.chaos.stage import FEATURES, Stage, warmed
from tests.chaos.table import Row, Rows
from tests.support.client import Client, RawConnection, scalar, tensor, with_length
from tests.support.process import Process, wait_until

SLOW = "/serve?servable_identifier=slow.pt"
ENDLESS = with_length(json.dumps([tensor([1], [1]), scalar(10**12, "int")]).encode(), SLOW)
LIMIT_S = 2
LOGGED_200 = re.compile(r" 200 \d")


def stop(stage: Stage) -> Rows:
    """The server stops in time, and responds to every request that it accepted."""
    yield from under_load(stage, "kept connections", lambda it, _: it.ask(GOOD))
    yield from under_load(stage, "fresh connections", fresh)
    yield from while_it_loads(stage)
    yield from with_a_delay(stage)
    yield from while_one_is_stuck(stage)
    yield from twice(stage)


def fresh(connection: LoadConnection, index: int) -> Reply:
    request = GOOD.replace(b"Host: test", b"Host: test\r\nConnection: close")
    return connection.ask(request)


def under_load(stage: Stage, kind: str, ask: Callable[..., Reply]) -> Rows:
    """Each response that the access log has must have reached its client."""
    slow = with_length(stage.slow_body(min(1.0, stage.effort.seconds)), SLOW)
    with stage.server() as server, RawConnection(server.url) as waiting:
        url = warmed(server)
        logged = len(LOGGED_200.findall(flushed(server)))
        clients = Stoppable(url, ask)
        with clients:
            time.sleep(min(2.0, stage.effort.seconds))
            waiting.send(slow)
            time.sleep(0.2)
            server.signal()
            code = server.exit_code()
        response = waiting.response()
        logged = len(LOGGED_200.findall(server.stdout)) - logged
        received = clients.succeeded() + (response is not None and response.status == 200)
        done = f"SIGTERM under {kind} and a slow request"
        figure = f"{received} of {logged} responses arrived, exit code {code}"
        lost = server.stdout.count(" 499 ")
        fine = received == logged and response is not None and code == 0 and lost == 0
        yield Row(done, figure, "all, 0", fine)


def flushed(server: Process) -> str:
    """The access log, once it has the requests sent before."""
    time.sleep(0.5)
    return server.stdout


class Stoppable:
    """Four clients that stop once the server refuses connections."""

    def __init__(self, url: str, ask: Callable[..., Reply]) -> None:
        self._url = url
        self._ask = ask
        self._counts = [0] * 4
        self._threads = [
            threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(4)
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *error: object) -> None:
        for thread in self._threads:
            thread.join(60)

    def succeeded(self) -> int:
        return sum(self._counts)

    def _run(self, index: int) -> None:
        try:
            with LoadConnection(self._url, again_s=0.2) as connection:
                while True:
                    self._counts[index] += self._ask(connection, 0).status == 200
        except ConnectionRefusedError:
            pass


def while_it_loads(stage: Stage) -> Rows:
    """SIGTERM while a model with a long warm-up is being loaded."""
    shutil.copy(stage.root / "slow.pt", stage.root / "loading.pt")
    line = stage.slow_body(0.3).decode()
    (stage.root / "loading.warmup.json").write_text(line)
    with stage.server() as server, RawConnection(server.url) as waiting:
        body = json.dumps([tensor([1], [2.5]), scalar(1, "int")]).encode()
        waiting.send(with_length(body, "/serve?servable_identifier=loading.pt"))
        time.sleep(0.3)
        server.signal()
        response = waiting.response()
        code = server.exit_code()
    status = response.status if response else 0
    done = "SIGTERM while a model is being loaded"
    figure = f"status {status}, exit code {code}"
    yield Row(done, figure, "200, 0", status == 200 and code == 0)


def with_a_delay(stage: Stage) -> Rows:
    with stage.server("--drain-delay", "1") as server, ExitStack() as stack:
        clients = [stack.enter_context(Client(server.url)) for _ in range(2)]
        before = clients[0].get("/ready").status
        server.signal()
        wait_until(lambda: clients[0].get("/ready").status == 503)
        served = clients[1].post("mlp.pt", FEATURES).status
        code = server.exit_code()
    figure = f"/ready {before}, then 503; requests {served}; exit code {code}"
    fine = (before, served, code) == (200, 200, 0)
    yield Row("SIGTERM with --drain-delay 1", figure, "200, 503; 200; 0", fine)


def while_one_is_stuck(stage: Stage) -> Rows:
    flags = ("--shutdown-timeout", str(LIMIT_S))
    with stage.server(*flags) as server, RawConnection(server.url) as connection:
        connection.send(ENDLESS)
        time.sleep(0.3)
        started_s = time.monotonic()
        server.signal()
        code = server.exit_code()
    took_s = time.monotonic() - started_s
    done = "SIGTERM with a forward that does not end"
    yield Row(done, f"exit code {code}", "0", code == 0)
    bound = f"< {LIMIT_S} s + 1 s"
    yield Row(done, f"{took_s:.1f} s", bound, took_s < LIMIT_S + 1, timed=True)


def twice(stage: Stage) -> Rows:
    with stage.server() as server, RawConnection(server.url) as connection:
        connection.send(ENDLESS)
        time.sleep(0.3)
        server.signal()
        time.sleep(0.3)
        alive = server.is_running()
        started_s = time.monotonic()
        server.signal()
        code = server.exit_code()
    took_s = time.monotonic() - started_s
    expected = 128 + signal.SIGTERM
    fine = alive and code == expected
    yield Row("SIGTERM twice", f"exit code {code}", str(expected), fine)
    yield Row("SIGTERM twice", f"{took_s:.2f} s", "< 0.5 s", took_s < 0.5, timed=True)

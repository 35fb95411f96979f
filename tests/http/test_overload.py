"""More requests than can be run, models that take too long, and clients that don't wait."""

import asyncio
import json
import re
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.client import (
    LIMIT_S,
    Client,
    RawConnection,
    in_threads,
    scalar,
    tensor,
    warm_up,
    with_length,
)
from tests.support.loaded import method_of
from tests.support.process import Process, wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving.engine.dispatcher import Limits
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.errors import DeadlineExceeded, Overloaded, ShuttingDown
from torch_serving.models.servable import Method

ECHO = b'[{"type":"tensor","value":[1]}]'
SLOW = "/serve?servable_identifier=slow.pt"
ENDLESS = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1000000000000}]'


class Held:
    """A method whose runs wait until they are released."""

    def __init__(self) -> None:
        self.method: Method = method_of(scripted(*SOURCES["echo.pt"]), identifier="held.pt")
        self.runs = 0
        self.free = threading.Event()
        self.method.run = self._run  # type: ignore[method-assign]

    def _run(self, inputs: list[Any]) -> Any:
        self.runs += 1
        assert self.free.wait(LIMIT_S)
        return inputs[0]


def with_thread(limits: Limits, use: Callable[[Engine, Held], Any], **arguments: Any) -> Any:
    engine = Engine(1, limits=limits, **arguments)
    held = Held()
    engine.start()

    async def run() -> Any:
        try:
            return await use(engine, held)
        finally:
            held.free.set()

    try:
        return asyncio.run(run())
    finally:
        engine.close()


def started(engine: Engine, held: Held, count: int = 1, **arguments: Any) -> list[Any]:
    return [
        asyncio.ensure_future(engine.submit(held.method, ECHO, **arguments)) for _ in range(count)
    ]


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass for what waits in an engine."""
    ahead_s = 0.0

    def advance(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() + ahead_s)
    monkeypatch.setattr("torch_serving.engine.dispatcher.time", clock)
    return advance


async def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.01)


def test_more_than_may_wait_are_refused_at_once():
    async def use(engine: Engine, held: Held) -> None:
        accepted = started(engine, held, 3)  # one runs, two wait
        await until(lambda: held.runs == 1)
        for _ in range(3):
            with pytest.raises(Overloaded, match="2 requests wait already"):
                await engine.submit(held.method, ECHO)
        held.free.set()
        for response in await asyncio.gather(*accepted):
            assert b"[1.0]" in response
        assert b"[1.0]" in await engine.submit(held.method, ECHO)  # there is room again

    with_thread(Limits(queue=2), use)


def test_what_waits_too_long_is_not_run(pass_time: Callable[[float], None]):
    async def use(engine: Engine, held: Held) -> None:
        first, second = started(engine, held, 2)
        await until(lambda: held.runs == 1)
        pass_time(Limits().queue_timeout_s + 1)
        held.free.set()
        await first
        with pytest.raises(Overloaded, match="waited too long"):
            await second
        assert held.runs == 1

    with_thread(Limits(), use)


def test_what_was_not_run_is_not_known_to_be_short(pass_time: Callable[[float], None]):
    """Its time says nothing of its model."""

    async def use(engine: Engine, held: Held) -> None:
        policy = held.method.inline
        for _ in range(10):
            first, second = started(engine, held, 2)
            await until(lambda: held.runs > 0)
            pass_time(Limits().queue_timeout_s + 1)
            held.free.set()
            await asyncio.gather(first, second, return_exceptions=True)
            held.free.clear()
            held.runs = 0
            assert not policy.may_run_inline(len(ECHO))

    with_thread(Limits(), use)


def test_what_nobody_waits_for_is_not_run():
    async def use(engine: Engine, held: Held) -> None:
        first, second = started(engine, held, 2)
        await until(lambda: held.runs == 1)
        second.cancel()
        with pytest.raises(ShuttingDown):
            await second
        held.free.set()
        await first
        assert b"[1.0]" in await engine.submit(held.method, ECHO)
        assert held.runs == 2

    with_thread(Limits(), use)


@pytest.mark.parametrize("arguments", [{}, {"timeout_s": 0.25}, {"timeout_s": 1000.0}])
def test_deadlines(arguments: dict[str, float]):
    reasons: list[Any] = []

    async def use(engine: Engine, held: Held) -> None:
        running, waiting = started(engine, held, 2, **arguments)
        for pending in (running, waiting):
            with pytest.raises(DeadlineExceeded):
                await pending
        await until(lambda: reasons != [])
        held.free.set()
        assert b"[1.0]" in await engine.submit(held.method, ECHO)
        assert held.runs == 2  # the one that waited was left out

    limit_s = 0.5 if arguments.get("timeout_s") != 0.25 else 1.0
    with_thread(
        Limits(request_timeout_s=limit_s),
        use,
        events=EngineEvents(on_fatal=lambda *why: reasons.append(why)),
    )
    assert reasons[0] == ("a model does not end: held.pt", ("held.pt",))


def test_a_deadline_holds_for_what_the_loop_gives_to_a_thread():
    async def use(engine: Engine, held: Held) -> None:
        held.method.inline.may_run_inline = lambda _: True  # type: ignore[method-assign]
        held.method.inline.can_run_inline = lambda _: False  # type: ignore[method-assign]
        [pending] = started(engine, held, timeout_s=0.05)
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(pending, LIMIT_S)

    with_thread(Limits(), use, in_flight=range(2))


def test_a_late_response_is_no_lost_thread():
    reasons: list[Any] = []

    async def use(engine: Engine, held: Held) -> None:
        [pending] = started(engine, held)
        with pytest.raises(DeadlineExceeded):
            await pending
        held.free.set()
        await asyncio.sleep(1)

    with_thread(
        Limits(request_timeout_s=0.5),
        use,
        events=EngineEvents(on_fatal=lambda *why: reasons.append(why)),
    )
    assert reasons == []


def test_overload_over_http(model_root: Path, start: Callable[..., Process], brief_body: bytes):
    process = start(model_root, "--port", "0", "--threads", "1", "--queue", "2")
    url = process.url
    warm_up(url)

    def ask(client: int) -> int:
        with Client(url) as connection:
            response = connection.post("slow.pt", brief_body)
            if response.status == 503:
                assert response.document["description"] == "Server overloaded"
                assert response.headers["retry-after"] == "1"
                assert connection.get("/healthcheck").status == 200
            return response.status

    ask(0)
    statuses = in_threads(8, ask)
    assert statuses.count(200) >= 3
    assert set(statuses) == {200, 503}
    assert ask(0) == 200


def test_a_deadline_over_http(uvicorn_server: Process, slow_body: bytes):
    def post(milliseconds: str) -> Any:
        with RawConnection(uvicorn_server.url) as connection:
            head, end, body = with_length(slow_body, SLOW).partition(b"\r\n\r\n")
            header = f"\r\nX-Request-Timeout-Ms: {milliseconds}".encode()
            connection.send(head + header + end + body)
            return connection.response()

    response = post("50")
    assert (response.status, response.document["description"]) == (504, "Deadline exceeded")
    assert post("60000").result == tensor([1], [2.5])
    for wrong in ("0", "-1", "1.5", "soon", "9" * 50):
        response = post(wrong)
        assert (response.status, response.document["description"]) == (400, "Invalid parameter")


def test_a_model_that_does_not_end_costs_a_worker(model_root: Path, start: Callable[..., Process]):
    flags = ["--request-timeout", "1", "--shutdown-timeout", "1", "--threads", "2"]
    process = start(model_root, "--port", "0", "--preload", "echo.pt", *flags)
    url = process.url
    with Client(url) as client:
        response = client.post("slow.pt", ENDLESS)
        assert response.status == 504
        assert client.post("echo.pt", json.loads(ECHO)).status == 200
    wait_until(lambda: "a model does not end: slow.pt" in process.stderr)
    wait_until(lambda: "worker 0 has failed" in process.stderr)
    with Client(url) as client:
        assert client.post("slow.pt", [tensor([1], [1.0]), scalar(1, "int")]).status == 200
    process.signal()
    assert process.exit_code() == 0


def test_a_client_that_goes_away_does_not_hold_up_others(
    model_root: Path, start: Callable[..., Process], slow_body: bytes
):
    process = start(model_root, "--port", "0", "--threads", "1")
    warm_up(process.url)
    request = with_length(slow_body, SLOW)
    with RawConnection(process.url) as first:
        first.send(request)
        for _ in range(20):
            with RawConnection(process.url) as gone:
                gone.send(request)
        assert first.response().result == tensor([1], [2.5])
    with Client(process.url) as client:
        before = process.stdout.count(" 499 ")
        assert client.post("echo.pt", json.loads(ECHO)).status == 200
    wait_until(lambda: process.stdout.count(" 499 ") >= 20 or before >= 20)


def test_refusals_leave_nothing_behind(
    model_root: Path, start: Callable[..., Process], slow_body: bytes
):
    """They are counted for their model, and a stop does not wait for them."""
    flags = ["--threads", "1", "--queue", "1", "--shutdown-timeout", "60", "--preload", "slow.pt"]
    process = start(model_root, "--port", "0", *flags)
    warm_up(process.url)
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(process.url)) for _ in range(10)]
        for connection in connections:
            connection.send(with_length(slow_body, SLOW))
        statuses = sorted(connection.response().status for connection in connections)
    assert statuses == [200, 200] + [503] * 8
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=LIMIT_S) as response:
        metrics = response.read().decode()
    labels = 'code="503",method="forward",model="slow.pt"'
    assert re.search(rf"requests_total{{{labels}}} 8.0", metrics), metrics
    process.signal()
    assert process.exit_code() == 0
    assert process.problems == ""  # no task had to be cancelled

"""More requests than can be run, models that take too long, and clients that don't wait."""

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.client import LIMIT_S
from tests.support.loaded import method_of
from tests.support.servables import SOURCES, scripted
from torch_serving.engine.dispatcher import Limits
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.errors import DeadlineExceeded, Overloaded, ShuttingDown
from torch_serving.models.servable import Method

ECHO = b'[{"type":"tensor","value":[1]}]'


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
    """Let so many seconds pass for what waits in an engine, and for the timers of its loop."""
    ahead_s = 0.0

    def advance(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() + ahead_s)
    monkeypatch.setattr("torch_serving.engine.dispatcher.time", clock)
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda _: time.monotonic() + ahead_s)
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


@pytest.mark.parametrize(
    ("arguments", "deadline_s"),
    [({}, 200.0), ({"timeout_s": 50.0}, 50.0), ({"timeout_s": 1000.0}, 200.0)],
)
def test_deadlines(
    arguments: dict[str, float], deadline_s: float, pass_time: Callable[[float], None]
):
    reasons: list[Any] = []

    async def use(engine: Engine, held: Held) -> None:
        running, waiting = started(engine, held, 2, **arguments)
        await until(lambda: held.runs == 1)
        pass_time(deadline_s)
        for pending in (running, waiting):
            with pytest.raises(DeadlineExceeded):
                await asyncio.wait_for(pending, LIMIT_S)
        assert reasons == []
        pass_time(200.0)  # its thread is lost after the limit for all requests, whatever its own
        await until(lambda: reasons != [])
        held.free.set()
        assert b"[1.0]" in await engine.submit(held.method, ECHO)
        assert held.runs == 2  # the one that waited was left out

    with_thread(
        Limits(request_timeout_s=200.0),
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


def test_a_late_response_is_no_lost_thread(pass_time: Callable[[float], None]):
    reasons: list[Any] = []

    async def use(engine: Engine, held: Held) -> None:
        [pending] = started(engine, held)
        await until(lambda: held.runs == 1)
        pass_time(200.0)
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(pending, LIMIT_S)
        held.free.set()
        assert b"[1.0]" in await engine.submit(held.method, ECHO)  # its thread is free again
        pass_time(200.0)
        await asyncio.sleep(0.01)  # the timers that are due come first

    with_thread(
        Limits(request_timeout_s=200.0),
        use,
        events=EngineEvents(on_fatal=lambda *why: reasons.append(why)),
    )
    assert reasons == []

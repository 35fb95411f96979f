"""A load that does not end holds up no other one, and nobody waits for it beyond a deadline."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait

import pytest

from tests.support.client import LIMIT_S, in_threads
from tests.support.process import wait_until
from torch_serving.errors import DeadlineExceeded, Overloaded, ShuttingDown
from torch_serving.models import load_queue
from torch_serving.models.load_queue import LoadQueue, result_within, wait_until_loaded

FOREVER_S = 1e6


def do_nothing(reason: str, guilty: Sequence[str] = (), /) -> None:
    pass


def test_what_does_not_end_gives_its_turn_to_others():
    queue = LoadQueue(do_nothing, at_once=2, turn_s=0)
    end = threading.Event()

    def load_for_ever() -> None:
        with queue.turn("endless.pt"):
            end.wait(LIMIT_S)

    def load() -> str:
        with queue.turn("good.pt"):
            return "loaded"

    endless = [queue.submit(load_for_ever) for _ in range(5)]
    assert queue.submit(load).result(LIMIT_S) == "loaded"
    assert not any(each.done() for each in endless)
    end.set()
    wait(endless, LIMIT_S)
    assert queue._turns == []


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_load_at_once_than_there_are_turns(at_once: int):
    queue = LoadQueue(do_nothing, at_once, turn_s=FOREVER_S)
    lock = threading.Lock()
    loading = most = 0

    def load(_: int) -> None:
        nonlocal loading, most
        with queue.turn("m.pt"):
            with lock:
                loading += 1
                most = max(most, loading)
            threading.Event().wait(0.001)
            with lock:
                loading -= 1

    in_threads(8, load)
    assert 1 <= most <= at_once


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load_queue, "MAX_PENDING", 3)
    queue = LoadQueue(do_nothing)
    end = threading.Event()
    pending = [queue.submit(lambda: end.wait(LIMIT_S)) for _ in range(3)]
    with pytest.raises(Overloaded):
        queue.submit(lambda: None)
    end.set()
    wait(pending, LIMIT_S)
    wait_until(lambda: queue._pending == 0)


def test_what_does_not_end_costs_the_process():
    reported: Future[tuple[str, Sequence[str]]] = Future()
    queue = LoadQueue(lambda reason, guilty=(): reported.set_result((reason, guilty)))
    queue.limit_s = 0.01
    with queue.turn("endless.pt"):
        reason, guilty = reported.result(LIMIT_S)
    assert "endless.pt" in reason
    assert guilty == ("endless.pt",)


def test_a_load_that_ends_is_not_reported():
    fatal: list[str] = []
    queue = LoadQueue(lambda reason, guilty=(): fatal.append(reason))
    queue.limit_s = FOREVER_S
    before = threading.active_count()
    with queue.turn("good.pt"):
        assert threading.active_count() == before + 1
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(LIMIT_S)
    assert not fatal


def test_the_load_goes_on_when_nobody_waits():
    async def ask(loading: "Future[str]") -> None:
        with pytest.raises(DeadlineExceeded):
            await wait_until_loaded(loading, 0.001)
        with pytest.raises(DeadlineExceeded):
            await asyncio.to_thread(result_within, loading, 0.001)
        loading.set_result("loaded")
        assert await wait_until_loaded(loading, 0.001) == "loaded"
        assert result_within(loading, 0.001) == "loaded"

    asyncio.run(ask(Future()))


def test_an_error_that_nobody_waits_for_is_not_told(caplog: pytest.LogCaptureFixture):
    async def ask() -> None:
        loading: Future[str] = Future()
        with pytest.raises(DeadlineExceeded):
            await wait_until_loaded(loading, 0.001)
        loading.set_exception(TimeoutError("the disk"))
        with pytest.raises(TimeoutError, match="the disk"):  # its own, and no deadline
            await wait_until_loaded(loading, LIMIT_S)

    asyncio.run(ask())
    assert not caplog.records


def test_a_stop_ends_the_waiting():
    async def ask() -> None:
        loading: Future[str] = Future()
        waiting = asyncio.create_task(wait_until_loaded(loading, LIMIT_S))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(ShuttingDown):
            await waiting
        assert not loading.cancelled()
        loading.cancel()
        with pytest.raises(ShuttingDown):
            await wait_until_loaded(loading, LIMIT_S)

    asyncio.run(ask())

"""A thread that dies ends the process, and nobody waits for it."""

import asyncio
import logging
import threading
from typing import Any

import pytest

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.guarded_thread import guarded_thread
from torch_serving.errors import ShuttingDown


@pytest.mark.parametrize("error", [RuntimeError("no stream"), SystemExit(3)])
def test_a_thread_that_dies_is_reported(error: BaseException, caplog: pytest.LogCaptureFixture):
    reported: list[Any] = []
    refused = threading.Event()

    def run() -> None:
        raise error

    def report(*why: Any) -> None:
        reported.append(why)

    with caplog.at_level(logging.CRITICAL):
        thread = guarded_thread("executor-7", run, report, refused.set)
        thread.start()
        thread.join(LIMIT_S)
    assert reported == [(f"a thread has died: executor-7: {error}",)]
    assert refused.is_set()
    assert "the thread executor-7 has died" in caplog.text
    assert "Traceback" in caplog.text


def test_a_thread_that_ends_is_not_reported():
    reported: list[Any] = []
    thread = guarded_thread("executor-7", lambda: None, reported.append, lambda: None)
    thread.start()
    thread.join(LIMIT_S)
    assert not reported
    assert thread.daemon


def test_executor_threads_that_die(caplog: pytest.LogCaptureFixture):
    """The others go on; once the last one has died, nobody waits for it."""
    reported: list[str] = []
    died = threading.Semaphore(0)

    def report(reason: str, guilty: Any = ()) -> None:
        reported.append(reason)
        died.release()

    engine = Engine(2, events=EngineEvents(on_fatal=report))
    threads = engine._dispatcher._threads
    model = method()

    async def ask() -> Any:
        return await asyncio.wait_for(engine.submit(model, body_of(1.0)), LIMIT_S)

    engine.start()
    try:
        threads._queue.put("poison")  # type: ignore[arg-type]
        assert died.acquire(timeout=LIMIT_S)
        assert b"[2.0]" in asyncio.run(ask())
        threads._queue.put("poison")  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(ShuttingDown, match="starts again"):
                asyncio.run(ask())
    finally:
        engine.close()
        engine.join(LIMIT_S)
    assert len(reported) == 2
    assert all("object has no attribute" in each for each in reported)
    assert caplog.text.count("Traceback") == 2

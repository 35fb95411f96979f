"""A thread that dies ends the process, and nobody waits for it."""

import logging
import threading
from typing import Any

import pytest

from tests.support.client import LIMIT_S
from torch_serving.engine.guarded_thread import guarded_thread


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
    assert reported == [(f"the thread executor-7 has died: {error}",)]
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

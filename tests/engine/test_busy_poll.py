"""When the loop waits for a request without sleeping, and that it then sleeps."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from torch_serving.engine.busy_poll import AT_ONCE_S, POLL_S, BusyPoll


class Loop(asyncio.AbstractEventLoop):
    """One whose turns and time are the test's: a turn takes a tenth of the time to poll."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        self.to_call: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        monkeypatch.setattr("torch_serving.engine.busy_poll.time.perf_counter", lambda: self.now_s)

    def call_soon(self, callback: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
        self.to_call.append((callback, arguments))

    def turns(self, most: int = 100) -> int:
        """Turn until there is nothing to call, and say how often."""
        for turn in range(most):
            if not self.to_call:
                return turn
            calls, self.to_call = self.to_call, []
            self.now_s += POLL_S / 10
            for callback, arguments in calls:
                callback(*arguments)
        return most


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


def respond(poll: BusyPoll, loop: Loop, after_s: float) -> None:
    loop.now_s += after_s
    poll.on_response(loop.now_s, loop)


def test_a_client_that_takes_its_time_is_not_waited_for(loop: Loop):
    poll = BusyPoll()
    for _ in range(5):
        respond(poll, loop, 2 * AT_ONCE_S)
        assert loop.turns() == 0


def test_a_client_that_asks_again_at_once_is_waited_for_and_no_longer(loop: Loop):
    poll = BusyPoll()
    respond(poll, loop, 1.0)
    respond(poll, loop, AT_ONCE_S / 2)
    assert 9 <= loop.turns() <= 12
    respond(poll, loop, AT_ONCE_S / 2)
    assert 9 <= loop.turns() <= 12


def test_responses_meanwhile_prolong_it(loop: Loop):
    poll = BusyPoll()
    respond(poll, loop, 1.0)
    respond(poll, loop, AT_ONCE_S / 2)
    assert loop.turns(5) == 5
    respond(poll, loop, POLL_S / 10)
    assert len(loop.to_call) == 1  # not a second time
    assert 9 <= loop.turns() <= 12

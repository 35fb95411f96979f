"""Models that draw random numbers: nobody's come again, but for those that a model asks for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import torch

from tests.support.batching import body_of
from tests.support.client import LIMIT_S, in_a_thread
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.engine.job import Job
from torch_serving.engine.random_numbers import RandomNumbers, with_random_numbers
from torch_serving.engine.steps import run_all
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.servable import Method

SEEDED = "torch.manual_seed(7)\n    y = torch.rand([3000])\n    return y + torch.rand([3000])"


def method(body: str) -> Method:
    return method_of(scripted("x: Tensor", "Tensor", body))


def response(method: Method) -> Any:
    job = Job(method, body_of(1.0))
    in_a_thread(run_all, (job,))
    assert job.error is None
    return job.response


def test_a_model_that_seeds_gets_the_same_numbers_whoever_draws_meanwhile():
    seeded, drawing = method(SEEDED), method("return torch.rand([3000])")
    expected = response(seeded)
    with ThreadPoolExecutor(8) as pool:
        drawn = [pool.submit(response, each) for each in [seeded, drawing, drawing] * 50]
        responses = [each.result() for each in drawn]
    assert set(responses[::3]) == {expected}
    others = responses[1::3] + responses[2::3]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize(
    ("module", "draws"),
    [
        (torch.nn.Dropout(), False),
        (torch.nn.RReLU(), False),
        (torch.nn.TransformerEncoderLayer(8, 2), False),
        (torch.nn.MultiheadAttention(8, 2, 0.5), False),
        (scripted("x: Tensor", "Tensor", "return torch.dropout(x, 0.5, True)"), True),
        (scripted("x: Tensor", "Tensor", "return torch.rand_like(x)"), True),
        (scripted("x: Tensor", "Tensor", "return x.normal_()"), True),
        (scripted("x: Tensor", "Tensor", "return torch.multinomial(x, 1)"), True),
    ],
)
def test_what_draws(module: torch.nn.Module, draws: bool):
    program = TorchScriptProgram(torch.jit.script(module).eval())
    assert program.methods()["forward"].draws is draws


def test_who_may_have_to_wait_is_not_run_on_the_event_loop():
    assert not method(SEEDED).inline.bounded
    assert not method("return torch.rand_like(x)").inline.bounded
    assert method("return x * 2").inline.bounded


class Cards:
    """The streams of two cards, if CUDA has started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, has_started: bool) -> None:
        self.states = [1, 2]
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: has_started)
        read = (lambda: list(self.states)) if has_started else pytest.fail
        monkeypatch.setattr(torch.cuda, "get_rng_state_all", read)
        monkeypatch.setattr(torch.cuda, "set_rng_state_all", self.set_all)

    def set_all(self, states: list[int]) -> None:
        self.states = states


@pytest.mark.parametrize("has_started", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_who_seeds_leaves_all_streams_as_they_were(
    monkeypatch: pytest.MonkeyPatch, has_started: bool, fails: bool
):
    cards = Cards(monkeypatch, has_started)

    def run() -> None:
        torch.manual_seed(7)
        cards.states = [8, 9]
        if fails:
            raise ValueError

    before = torch.get_rng_state()
    with suppress(ValueError):
        with_random_numbers(run, True)()
    assert torch.equal(torch.get_rng_state(), before)
    assert cards.states == ([1, 2] if has_started else [8, 9])


@pytest.mark.parametrize("seeds", [False, True])
def test_a_run_that_fails_holds_nobody_up(seeds: bool):
    numbers = RandomNumbers()
    with pytest.raises(ZeroDivisionError):
        with_random_numbers(lambda: 1 / 0, seeds, numbers)()
    for others in (False, True):
        in_a_thread(with_random_numbers(lambda: 1, others, numbers))


@pytest.mark.parametrize("seeds", [False, True])
def test_whoever_waits_for_a_run_goes_on_after_it(seeds: bool):
    numbers, entered, held = RandomNumbers(), threading.Event(), threading.Event()

    def run() -> None:
        entered.set()
        held.wait(LIMIT_S)

    with ThreadPoolExecutor(2) as threads:
        threads.submit(with_random_numbers(run, seeds, numbers))
        assert entered.wait(LIMIT_S)
        other = threads.submit(with_random_numbers(lambda: 1, not seeds, numbers))
        time.sleep(0.05)
        assert not other.done()
        held.set()
        assert other.result(LIMIT_S) == 1

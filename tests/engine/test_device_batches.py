"""Batches of a device's executor: who joins them, and what becomes of each request."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S, tensor
from tests.support.device_engine import Accelerators, served, value_of, values_of, with_run
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.codecs.python_values import PythonInvocation
from torch_serving.engine.batcher import OFF, ON
from torch_serving.errors import InferenceFailed, ServingError
from torch_serving.model_config import ModelConfig

CPU = torch.device("cpu")


def test_a_batch_that_was_turned_off_before_its_launch(device: Accelerators):
    """Another flight lands between the moment that jobs were taken as one and their launch."""
    model = method()
    assert model.batcher is not None
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            assert model.batcher.state is ON  # type: ignore[union-attr]
            take = server.executor._queue.take_batch

            def take_and_turn_off() -> Any:
                jobs = take()
                model.batcher.state = OFF if len(jobs[0]) > 1 else ON  # type: ignore[union-attr]
                return jobs

            server.executor._queue.take_batch = take_and_turn_off  # type: ignore[method-assign]
            return await server.ask(model, *[body_of(float(n)) for n in range(40)])

        responses = asyncio.run(ask_all())
        assert values_of(responses) == [[2.0 * n] for n in range(40)]
        assert not server.fatal


def test_a_job_that_runs_alone_and_loses_rows(device: Accelerators):
    """A batch fails; alone, one of its jobs is padded and gets a result of other rows."""
    body = "assert bool((x < 100).all()), 'large'\n    return x[:1] if bool((x < 0).any()) else x"
    model = method(body=body)
    rows = json.dumps([tensor([3, 1], [-1.0, -2.0, -3.0])]).encode()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            return await server.ask(model, body_of(1.0), body_of(1000.0), rows, body_of(2.0))

        first, bad, odd, last = values_of(asyncio.run(ask_all()))
        assert (first, odd, last) == ([1.0], [-1.0], [2.0])
        assert isinstance(bad, InferenceFailed)
        assert not server.fatal


@pytest.mark.parametrize("batch", [False, True])
def test_a_result_that_is_sparse(device: Accelerators, batch: bool):
    body = "return x.to_sparse() if bool((x > 10).any()) else x"
    model = method_of(scripted("x: Tensor", "Tensor", body), ModelConfig(batch=batch))
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            return await server.ask(model, *[body_of(float(n)) for n in range(20)])

        for number, response in enumerate(asyncio.run(ask_all())):
            if number <= 10:
                assert value_of(response) == [float(number)]
            else:
                assert isinstance(response, ServingError | bytes)
        assert not server.fatal


def test_values_that_can_not_be_compared(device: Accelerators):
    """Two requests with arrays among values of any type: `==` gives no truth."""
    model = method("x: Tensor, a: List[int]", "Tensor", "return x * len(a)")
    with_run(model, lambda x, a: x * len(a))
    with served() as server:

        class Invocation(PythonInvocation):
            @staticmethod
            def decode(body: Any) -> list[Any]:  # type: ignore[override]
                return [torch.ones(1, 1) * body, np.ones(3)]

            def __init__(self) -> None:
                super().__init__(model)
                self.decode = Invocation.decode

        async def ask_all() -> list[Any]:
            await server.ask(Invocation(), b"a")
            return await server.ask(Invocation(), *[b"a" * n for n in range(1, 20)])

        model.batcher.state = ON  # type: ignore[union-attr]
        Invocation.decode = staticmethod(  # type: ignore[method-assign]
            lambda body: [torch.full((1, 1), float(len(body))), np.ones(3)]
        )
        responses = asyncio.run(ask_all())
        assert [float(each) for each in responses] == [3.0 * n for n in range(1, 20)]
        assert not server.fatal


@pytest.mark.parametrize(
    "other",
    [tensor([0], []), {"type": "tensor", "data_type": "float32", "shape": [], "value": [5.0]}],
    ids=["no rows", "a scalar"],
)
def test_what_has_no_rows_joins_no_batch(device: Accelerators, other: Any):
    model = method(body="assert x.numel() > 0 and x.dim() == 1, 'bad'\n    return x * 2")
    good = [json.dumps([tensor([1], [float(n)])]).encode() for n in range(20)]
    bad = json.dumps([other]).encode()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, good[0])
            assert model.batcher.state is ON  # type: ignore[union-attr]
            bodies = [each for body in good for each in (body, bad)]
            return await server.ask(model, *bodies)

        responses = asyncio.run(ask_all())
        assert values_of(responses[::2]) == [[2.0 * n] for n in range(20)]
        assert {type(each) for each in responses[1::2]} == {InferenceFailed}
        assert model.batcher.state is ON  # type: ignore[union-attr]
        assert not server.fatal


def test_a_request_does_not_wait_while_it_is_decoded(device: Accelerators):
    model = method()
    decode = model.decode

    def decode_slowly(body: bytes) -> list[Any]:
        threading.Event().wait(0.2)
        return decode(body)

    model.decode = decode_slowly
    with served() as server:
        started_s = time.perf_counter()
        asyncio.run(server.ask(model, body_of(1.0)))
        elapsed_s = time.perf_counter() - started_s
    steps = model.counters.numbers().steps
    counts = {name: sum(steps[name][0]) for name in steps if name != "request"}
    assert counts == dict.fromkeys(counts, 1)
    assert steps["queue"][1] + steps["decode"][1] <= elapsed_s


@pytest.mark.parametrize("stage", ["decode", "run", "encode"])
@pytest.mark.parametrize("count", [1, 2, 7, 32])
def test_an_error_of_a_step_is_that_of_its_request(device: Accelerators, stage: str, count: int):
    model = method()

    def failing(step: Callable[[Any], Any], is_bad: Callable[[Any], bool]) -> Callable[[Any], Any]:
        def advance(value: Any) -> Any:
            if is_bad(value):
                raise KeyError(stage)
            return step(value)

        return advance

    if stage == "decode":
        model.decode = failing(model.decode, lambda body: b"[3.0]" in body)
    elif stage == "run":
        with_run(model, failing(lambda x: x * 2, lambda x: bool((x == 3).any())))
    else:
        model.encode = failing(model.encode, lambda outputs: bool((outputs == 6).any()))
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            return await server.ask(model, *[body_of(float(n % 5)) for n in range(count)])

        for number, response in enumerate(asyncio.run(ask_all())):
            if number % 5 == 3:
                assert stage in str(response)
                assert isinstance(response, KeyError | InferenceFailed)
            else:
                assert value_of(response) == [2.0 * (number % 5)]
        assert server.engine._dispatcher.jobs == 0
        assert not server.fatal


def test_what_waited_too_long_leaves_its_batch(device: Accelerators):
    """The sizes of the others are theirs."""
    model = method(max_batch=64)
    bodies = [
        json.dumps([tensor([rows, 1], [float(n)] * rows)]).encode()
        for n, rows in enumerate([1, 2, 3, 1, 5, 1, 2, 4] * 3)
    ]
    again: list[Any] = []
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            run_alone = server.executor._run_alone
            server.executor._run_alone = lambda job: (  # type: ignore[method-assign]
                again.append(job) or run_alone(job)  # type: ignore[func-returns-value]
            )
            asked = [asyncio.ensure_future(server.engine.submit(model, body)) for body in bodies]
            held = threading.Event()
            server.executor.call(lambda: held.wait(LIMIT_S))
            while server.engine._dispatcher.jobs < len(bodies):
                await asyncio.sleep(0)
            for each in asked[::3]:
                each.cancel()
            await asyncio.sleep(0)
            held.set()
            return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), LIMIT_S)

        for number, response in enumerate(asyncio.run(ask_all())):
            if number % 3:
                (given,) = json.loads(bodies[number])
                assert value_of(response) == [2 * each for each in given["value"]]
        assert not again
        assert not server.fatal


def test_each_model_has_its_turn(device: Accelerators):
    """A request waits for one run of each other model, not for all that wait before it."""
    order: list[str] = []
    first = threading.Event()

    def running(name: str) -> Callable[[torch.Tensor], torch.Tensor]:
        def run(x: torch.Tensor) -> torch.Tensor:
            first.wait(LIMIT_S)
            order.append(name)
            return x

        return run

    many, few = (
        with_run(method_of(scripted("x: Tensor", "Tensor", "return x")), running(name))
        for name in ("many", "few")
    )
    with served() as server:

        async def ask_all() -> None:
            first.set()
            for model in (many, few):
                await server.ask(model, body_of(0.0))
            order.clear()
            first.clear()
            asked = [server.ask(many, body_of(1.0)) for _ in range(50)]
            asked += [server.ask(few, body_of(1.0)) for _ in range(2)]
            waiting = asyncio.gather(*asked)
            await asyncio.sleep(0)
            while server.engine._dispatcher.jobs < 52:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            first.set()
            await waiting

        asyncio.run(ask_all())
        assert len(order) == 52
        assert order.index("few") <= 4
        assert [index for index, name in enumerate(order) if name == "few"][-1] <= 6

"""What must not end the threads of a device's executor, nor let anybody wait for ever."""

import asyncio
import gc
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S, tensor
from tests.support.fake_device import FakeAccelerator
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.codecs.python_values import PythonInvocation
from torch_serving.config import ModelConfig
from torch_serving.engine.accelerator import set_accelerator
from torch_serving.engine.batcher import OFF, ON
from torch_serving.engine.device_executor import DeviceExecutor
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.plain_accelerator import PlainAccelerator
from torch_serving.errors import DeviceFailed, InferenceFailed, OutOfMemory, ServingError
from torch_serving.models.servable import Method

CPU = torch.device("cpu")
Accelerators = FakeAccelerator | PlainAccelerator


@pytest.fixture(params=["late", "plain"])
def device(request: pytest.FixtureRequest) -> Iterator[Accelerators]:
    accelerator = FakeAccelerator() if request.param == "late" else PlainAccelerator(CPU)
    set_accelerator(CPU, accelerator)
    yield accelerator
    set_accelerator(CPU, None)


class Served:
    """An engine whose device was used once, and what it reported."""

    def __init__(self, engine: Engine, fatal: list[Any]) -> None:
        self.engine = engine
        self.fatal = fatal

    @property
    def executor(self) -> DeviceExecutor:
        (executor,) = self.engine._dispatcher.executors.all()
        return executor

    async def ask(self, model: Any, *bodies: Any) -> list[Any]:
        """Responses or errors of requests that are on their way at once."""
        asked = [self.engine.submit(model, body) for body in bodies]
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), LIMIT_S)


@contextmanager
def served(**events: Any) -> Iterator[Served]:
    fatal: list[Any] = []
    events.setdefault("on_fatal", lambda *why: fatal.append(why))
    engine = Engine(2, in_flight=range(8), events=EngineEvents(**events))
    engine.start()
    try:
        yield Served(engine, fatal)
    finally:
        engine.close()
        engine.join(LIMIT_S)


def value_of(response: bytes) -> Any:
    return json.loads(response)["result"]["value"]


def values_of(responses: list[Any]) -> list[Any]:
    return [value_of(each) if isinstance(each, bytes) else each for each in responses]


def with_run(model: Method, run: Callable[..., Any]) -> Method:
    """The same method, whose program does something that TorchScript can't."""
    assert model.device_method is not None
    model.device_method._run = run
    model.device_method.graphs = None
    return model


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


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), KeyError("x"), StopIteration()])
@pytest.mark.parametrize("batch", [False, True])
def test_what_is_no_exception_ends_a_job(device: Accelerators, error: BaseException, batch: bool):
    model = method_of(scripted("x: Tensor", "Tensor", "return x"), ModelConfig(batch=batch))

    def run(x: torch.Tensor) -> torch.Tensor:
        if bool((x > 10).any()):
            raise error
        return x * 2

    with_run(model, run)
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            return await server.ask(model, *[body_of(float(n)) for n in range(20)])

        for number, response in enumerate(asyncio.run(ask_all())):
            if number <= 10:
                assert value_of(response) == [2.0 * number]
            else:
                assert isinstance(response, Exception)
        assert not server.fatal


def test_a_call_that_raises_no_exception(device: Accelerators):
    model = method()
    with served() as server:
        asyncio.run(server.ask(model, body_of(0.0)))

        def call() -> None:
            raise SystemExit(3)

        with pytest.raises(RuntimeError, match="SystemExit"):
            server.executor.call(call).result(LIMIT_S)
        assert server.executor.call(lambda: 5).result(LIMIT_S) == 5
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


@pytest.mark.parametrize("thread", ["launch", "land"])
def test_a_thread_that_dies_leaves_nobody_waiting(device: Accelerators, thread: str):
    model = method()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            flights = server.executor._flights

            def die(*_: Any) -> Any:
                raise SystemExit(7)

            if thread == "launch":
                server.executor._queue.take_batch = die  # type: ignore[method-assign]
            else:
                flights.hand_on = die  # type: ignore[method-assign]
            first = await server.ask(model, *[body_of(float(n)) for n in range(60)])
            return first + await server.ask(model, *[body_of(float(n)) for n in range(10)])

        responses = asyncio.run(ask_all())
        assert {type(each) for each in responses} == {DeviceFailed}
        with suppress(ServingError):  # it need not be made, but nobody may wait for ever
            server.executor.call(lambda: 1).result(LIMIT_S)
        assert "has died" in str(server.fatal)
        assert server.engine._dispatcher.jobs == 0


@pytest.mark.parametrize("values", [1, 40_000])
def test_jobs_that_are_decoded_or_encoded_while_the_engine_closes(
    device: Accelerators, values: int
):
    """All jobs that were submitted are done."""
    model = method_of(scripted("x: Tensor", "Tensor", "return x.repeat(1, 20000)"))
    body = json.dumps([tensor([1, values], [1.0] * values)]).encode()
    if values > 1:
        model = method_of(scripted("x: Tensor", "Tensor", "return x * 2"))
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            asked = [asyncio.ensure_future(server.engine.submit(model, body)) for _ in range(50)]
            for _ in range(3):  # a turn to submit them, and one for those decoded on the loop
                await asyncio.sleep(0)
            server.engine.close()
            done = asyncio.gather(*asked, return_exceptions=True)
            return await asyncio.wait_for(done, LIMIT_S)

        assert {type(each) for each in asyncio.run(ask_all())} == {bytes}
        server.engine.join(LIMIT_S)
        assert not [each for each in threading.enumerate() if each.name.startswith("cpu ")]
        with pytest.raises(ServingError):
            server.executor.call(lambda: 1).result(LIMIT_S)


def test_a_call_is_not_kept(device: Accelerators):
    """What a call holds, as a model that is loaded, is not kept until the next one."""
    model = method()
    with served() as server:
        asyncio.run(server.ask(model, body_of(0.0)))

        class Thing:
            pass

        thing = Thing()
        reference = weakref.ref(thing)
        server.executor.call(lambda thing=thing: None).result(LIMIT_S)  # type: ignore[misc]
        server.executor.call(lambda: None).result(LIMIT_S)
        server.executor.call(lambda thing=thing: None).result(LIMIT_S)  # type: ignore[misc]
        del thing
        for _ in range(100):
            if reference() is None:
                break
            threading.Event().wait(0.01)
        assert reference() is None


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


def test_a_job_that_is_decoded_for_a_failed_device_is_done_once(device: Accelerators):
    model = method(max_batch=1)
    large = json.dumps([tensor([1, 40_000], [1.5] * 40_000)]).encode()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            server.executor._flights.give_up()
            return await server.ask(model, *[large] * 20)

        assert {type(each) for each in asyncio.run(ask_all())} == {DeviceFailed}
        assert server.engine._dispatcher.jobs == 0


def test_times_that_a_failing_device_does_not_know(
    device: Accelerators, monkeypatch: pytest.MonkeyPatch
):
    model = method()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            progress = type(device.begin())

            def fail(_: Any) -> Any:
                raise RuntimeError("CUDA error: device-side assert triggered")

            monkeypatch.setattr(progress, "seconds", fail)
            return await server.ask(model, *[body_of(float(n)) for n in range(20)])

        responses = asyncio.run(ask_all())
        assert len(server.fatal) == 1
        assert "is in error" in str(server.fatal)
        for number, response in enumerate(responses):
            if isinstance(response, bytes):
                assert value_of(response) == [2.0 * number]
            else:
                assert isinstance(response, DeviceFailed)


@pytest.mark.parametrize("failures", [1, 2, 10_000])
def test_memory_runs_out(device: Accelerators, failures: int):
    """At first, or for ever: whoever fits gets a result, others the error."""
    model = method()
    left = [0]
    freed: list[Any] = []

    def run(x: torch.Tensor) -> torch.Tensor:
        if left[0]:
            left[0] -= 1
            raise RuntimeError("out of memory")
        return x * 2

    def free_memory(device: torch.device, missing: int | None) -> bool:
        freed.append(device)
        return True

    with_run(model, run)
    with served(free_memory=free_memory) as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            left[0] = failures
            return await server.ask(model, *[body_of(float(n)) for n in range(20)])

        responses = asyncio.run(ask_all())
        for number, response in enumerate(responses):
            if isinstance(response, bytes):
                assert value_of(response) == [2.0 * number]
            else:
                assert isinstance(response, OutOfMemory)
        assert any(isinstance(each, OutOfMemory) for each in responses) == (failures > 2)
        assert not server.fatal
        assert server.engine._dispatcher.jobs == 0
    gc.collect()


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
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
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

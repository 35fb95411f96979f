"""What must not end the threads of a device's executor, nor let anybody wait for ever."""

import asyncio
import gc
import json
import threading
import weakref
from contextlib import suppress
from typing import Any

import pytest
import torch

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S, tensor
from tests.support.device_engine import Accelerators, served, value_of, with_run
from tests.support.fake_device import FakeAccelerator
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.errors import DeviceFailed, InferenceFailed, OutOfMemory, ServingError
from torch_serving.model_config import ModelConfig

CPU = torch.device("cpu")


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


@pytest.mark.parametrize("thread", ["launch", "launched", "land", "landed"])
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
            elif thread == "launched":
                server.executor._launch = die  # type: ignore[method-assign]
                server.executor._problem_of = die  # type: ignore[method-assign]
            elif thread == "land":
                flights.land = die  # type: ignore[method-assign]
            else:
                flights.hand_on = die  # type: ignore[method-assign]
            first = await server.ask(model, *[body_of(float(n)) for n in range(60)])
            return first + await server.ask(model, *[body_of(float(n)) for n in range(10)])

        responses = asyncio.run(ask_all())
        assert {type(each) for each in responses} == {DeviceFailed}
        with suppress(ServingError):  # it need not be made, but nobody may wait for ever
            server.executor.call(lambda: 1).result(LIMIT_S)
        assert server.engine._dispatcher.jobs == 0
    assert "has died" in str(
        server.fatal
    )  # told after the jobs were failed, before the thread ends


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


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("failures", [1, 2, 10_000])
def test_memory_runs_out(device: Accelerators, failures: int, count: int):
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
            return await server.ask(model, *[body_of(float(n)) for n in range(count)])

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


def test_libraries_have_other_words_for_a_device_that_failed(late_device: FakeAccelerator):
    """One that runs after a kernel that failed says only that nothing works."""
    model = method(max_batch=1)

    def run(x: torch.Tensor) -> torch.Tensor:
        if bool((x > 10).any()):
            late_device.is_broken = True
        if bool((x > 5).any()):
            raise RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")
        return x * 2

    with_run(model, run)
    with served() as server:

        async def ask_all() -> list[Any]:
            return [(await server.ask(model, body_of(n)))[0] for n in (1.0, 7.0, 11.0, 1.0)]

        good, refused, *failed = asyncio.run(ask_all())
        assert value_of(good) == [2.0]
        assert isinstance(refused, InferenceFailed)
        assert {type(each) for each in failed} == {DeviceFailed}
        assert len(server.fatal) == 1

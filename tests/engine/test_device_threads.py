"""The two threads of a device's executor: what they bound, enter, mark and keep."""

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S
from tests.support.device_engine import served, value_of, values_of, with_run
from tests.support.fake_device import CUDA_ERROR, POISON, FakeAccelerator, FakeProgress
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.engine.batcher import UNVALIDATED
from torch_serving.engine.device_executor import FLIGHTS, DeviceExecutor
from torch_serving.errors import DeviceFailed
from torch_serving.models.servable import Method


def alone() -> Method:
    model = method_of(scripted("x: Tensor", "Tensor", "return x * 2"))
    return with_run(model, lambda x: x * 2)  # without graphs


def test_a_device_has_so_many_launches_at_once(
    late_device: FakeAccelerator, monkeypatch: pytest.MonkeyPatch
):
    """More would only take memory, and join no batch."""
    model, landed, most = alone(), [0], [0]
    begin, wait = late_device.begin, FakeProgress.wait

    def begun() -> int:
        return late_device.counts["launch"] - landed[0]

    def recorded() -> FakeProgress:
        progress = begin()
        most[0] = max(most[0], begun())
        return progress

    def wait_for_more(progress: FakeProgress) -> None:
        for _ in range(20):
            if begun() > FLIGHTS:
                break
            time.sleep(0.01)
        wait(progress)
        landed[0] += 1

    monkeypatch.setattr(late_device, "begin", recorded)
    monkeypatch.setattr(FakeProgress, "wait", wait_for_more)
    with served() as server:
        responses = asyncio.run(server.ask(model, *[body_of(float(n)) for n in range(10)]))
        assert values_of(responses) == [[2.0 * n] for n in range(10)]
    assert most[0] == FLIGHTS


def test_threads_that_wait_keep_no_request_alive(
    late_device: FakeAccelerator, monkeypatch: pytest.MonkeyPatch
):
    kept: list[weakref.ref[torch.Tensor]] = []
    copy_out = late_device.copy_out

    def recorded(tensor: torch.Tensor) -> torch.Tensor:
        outputs = copy_out(tensor)
        kept.append(weakref.ref(outputs))
        return outputs

    monkeypatch.setattr(late_device, "copy_out", recorded)
    with served() as server:
        asyncio.run(server.ask(alone(), body_of(1.0)))
        for _ in range(1000):
            if kept[0]() is None:
                break
            time.sleep(0.01)
        assert [each() for each in kept] == [None]


def test_the_launching_thread_has_streams_of_its_own_once(late_device: FakeAccelerator):
    model = alone()
    with served() as server:
        for n in range(3):
            asyncio.run(server.ask(model, body_of(float(n))))
            assert server.executor.call(late_device.can_capture).result(LIMIT_S)
        assert late_device.counts["enter"] == 1


def test_a_call_that_comes_first_has_streams_too(late_device: FakeAccelerator):
    with served() as server:
        executors = server.engine._dispatcher.executors
        call = executors.of(late_device).call(late_device.can_capture)
        assert call.result(LIMIT_S)


def test_no_thread_records_gradients(late_device: FakeAccelerator):
    """Requests of a batch that loses rows run again, one by one, in the landing thread."""
    seen: set[tuple[str, bool]] = set()

    def run(x: torch.Tensor) -> torch.Tensor:
        seen.add((threading.current_thread().name, torch.is_inference_mode_enabled()))
        return x if len(x) < 3 else x[:1]

    model = method()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            with_run(model, run)
            held = threading.Event()
            server.executor.call(lambda: held.wait(LIMIT_S))
            asked = asyncio.ensure_future(server.ask(model, *[body_of(float(n)) for n in range(9)]))
            while server.engine._dispatcher.jobs < 9:
                await asyncio.sleep(0)
            held.set()
            return await asked

        assert values_of(asyncio.run(ask_all())) == [[float(n)] for n in range(9)]
    assert seen == {("cpu launch", True), ("cpu land", True)}


def launched_while_held(
    device: FakeAccelerator, model: Method, prepare: Callable[[DeviceExecutor], object]
) -> int:
    """How often a device is told to run for requests that wait, once it was prepared."""
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            held = threading.Event()
            server.executor.call(lambda: held.wait(LIMIT_S))
            asked = asyncio.ensure_future(server.ask(model, *[body_of(float(n)) for n in range(9)]))
            while server.engine._dispatcher.jobs < 9:
                await asyncio.sleep(0)
            prepare(server.executor)
            device.counts.clear()
            held.set()
            return await asked

        assert {type(each) for each in asyncio.run(ask_all())} == {DeviceFailed}
    return device.counts["launch"]


def test_what_waited_for_a_device_that_failed_is_not_launched(late_device: FakeAccelerator):
    assert launched_while_held(late_device, alone(), lambda each: each._flights.give_up()) == 0


def test_nobody_of_a_batch_runs_again_on_a_device_that_failed(late_device: FakeAccelerator):
    def fail(executor: DeviceExecutor) -> None:
        executor._queue._spare_work.clear()  # runs, too, which would be tried once
        late_device.is_broken = True

    model = with_run(method(), lambda x: x * 2)
    assert launched_while_held(late_device, model, fail) == 1


def test_the_name_of_what_runs_is_told_and_taken_back(late_device: FakeAccelerator):
    told: list[str] = []
    model = with_run(alone(), lambda x: x.view(7))
    with served(set_running=told.append) as server:
        asyncio.run(server.ask(model, body_of(1.0)))
    assert told[:2] == ["model", ""]
    assert told[-1] == ""


def test_the_next_launch_starts_before_results_are_handed_on(late_device: FakeAccelerator):
    model = alone()
    with served() as server:

        async def ask_all() -> list[Any]:
            await server.ask(model, body_of(0.0))
            flights, free = server.executor._flights, server.executor._free
            hand_on, released = flights.hand_on, threading.Event()
            release = free.release
            free.release = lambda: released.set() or release()  # type: ignore[assignment, func-returns-value]

            def recorded(flight: Any) -> list[Any]:
                assert released.wait(1)
                return hand_on(flight)

            flights.hand_on = recorded  # type: ignore[method-assign]
            return await server.ask(model, body_of(1.0))

        (response,) = asyncio.run(ask_all())
        assert value_of(response) == [2.0]
        assert not server.fatal


def test_what_was_copied_to_a_device_that_failed_is_not_freed(
    late_device: FakeAccelerator, monkeypatch: pytest.MonkeyPatch
):
    """Nor where the failure shows in the launch itself."""
    copied: list[weakref.ref[torch.Tensor]] = []
    host_tensor = late_device.host_tensor

    def recorded(*arguments: Any) -> torch.Tensor:
        tensor = host_tensor(*arguments)
        copied.append(weakref.ref(tensor))
        return tensor

    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError(CUDA_ERROR)

    monkeypatch.setattr(late_device, "host_tensor", recorded)
    with served() as server:
        (response,) = asyncio.run(server.ask(with_run(alone(), fail), body_of(1.0)))
        assert isinstance(response, DeviceFailed)
        del response
        assert copied[0]() is not None


def test_a_device_that_fails_says_nothing_of_batches(late_device: FakeAccelerator):
    model = method()
    with served() as server:
        (response,) = asyncio.run(server.ask(model, body_of(POISON / 2)))
    assert isinstance(response, DeviceFailed)
    assert model.batcher is not None
    assert model.batcher.state is UNVALIDATED


def test_a_request_is_answered_whatever_ends_the_look_at_batches(late_device: FakeAccelerator):
    runs: list[int] = []

    def run(x: torch.Tensor) -> torch.Tensor:
        runs.append(len(x))
        if len(runs) == 2:
            raise SystemExit(3)
        return x * 2

    with served() as server:
        responses = asyncio.run(server.ask(with_run(method(), run), body_of(1.0)))
    assert values_of(responses) == [[2.0]]


def test_batches_have_their_graphs_before_they_come(late_device: FakeAccelerator):
    with served() as server:
        asyncio.run(server.ask(method(max_batch=8), body_of(1.0)))
        for _ in range(1000):
            if late_device.counts["capture"] == 3:
                break
            time.sleep(0.01)
        assert [len(each.inputs[0]) for each in late_device.graphs] == [2, 4, 8]

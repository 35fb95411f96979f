"""The executor of a device, on a device that is late: results, batches, graphs, failures."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from tests.support.batching import body_of, method
from tests.support.client import tensor
from tests.support.device_engine import value_of
from tests.support.fake_device import POISON, FakeAccelerator
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.engine.batcher import OFF, ON
from torch_serving.engine.cuda_graphs import EAGER_RUNS
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.errors import DeviceFailed, InferenceFailed
from torch_serving.model_config import ModelConfig
from torch_serving.models.servable import Method
from torch_serving.telemetry._counters import SIZES

CPU = torch.device("cpu")


def alone(
    arguments: str = "x: Tensor", result: str = "Tensor", body: str = "return x * 2"
) -> Method:
    return method_of(scripted(arguments, result, body))


def served(
    model: Method, bodies: Sequence[bytes], together: int = 8, events: EngineEvents | None = None
) -> list[Any]:
    """Responses, or errors, of requests of which `together` are on their way at once."""
    engine = Engine(2, in_flight=range(together), events=events or EngineEvents())
    engine.start()

    async def ask_all() -> list[Any]:
        room = asyncio.Semaphore(together)

        async def ask(body: bytes) -> Any:
            async with room:
                return await engine.submit(model, body)

        return await asyncio.gather(*map(ask, bodies), return_exceptions=True)

    try:
        return asyncio.run(ask_all())
    finally:
        engine.close()
        engine.join(30)


def batches(model: Method) -> dict[int, int]:
    runs, _ = model.counters.numbers().batches
    return {size: count for size, count in zip(SIZES, runs, strict=False) if count}


@pytest.mark.parametrize("together", [1, 2, 16])
@pytest.mark.parametrize("make", [alone, method], ids=["alone", "batches"])
def test_results_are_those_of_the_request(
    late_device: FakeAccelerator, make: Callable[..., Method], together: int
):
    model = make(body="return x * 2")
    responses = served(model, [body_of(float(each), each + 0.5) for each in range(200)], together)
    assert [value_of(each) for each in responses] == [[2.0 * n, 2.0 * n + 1] for n in range(200)]


def test_only_threads_of_the_executor_touch_the_device(late_device: FakeAccelerator):
    large = json.dumps([tensor([1, 40_000], [1.5] * 40_000)]).encode()
    model = method(body="return x.sum(-1)")
    responses = served(model, [large if n % 2 else body_of(1.0) for n in range(100)])
    assert {value_of(each)[0] for each in responses} == {1.0, 60_000.0}
    assert late_device.threads <= {"cpu launch", "cpu land"}


def test_a_batch_is_copied_once_each_way(late_device: FakeAccelerator):
    model = method()
    served(model, [body_of(1.0)])  # is validated
    assert model.batcher is not None
    assert model.batcher.state is ON
    model.device_method.graphs = None  # type: ignore[union-attr]
    late_device.counts.clear()
    responses = served(model, [body_of(float(each)) for each in range(320)], together=64)
    assert [value_of(each) for each in responses] == [[2.0 * n] for n in range(320)]
    runs = sum(batches(model).values()) - 1
    assert runs < 320
    counts = late_device.counts
    assert counts["copy_in"] == counts["copy_out"] == counts["launch"] == runs


def test_runs_are_padded_to_powers_of_two(late_device: FakeAccelerator):
    sizes: set[int] = set()
    model = method(max_batch=24)
    served(model, [body_of(1.0)])
    run = model.device_method._run  # type: ignore[union-attr]

    def recorded(x: torch.Tensor) -> torch.Tensor:
        sizes.add(x.shape[0])
        return run(x)  # type: ignore[no-any-return]

    model.device_method._run = recorded  # type: ignore[union-attr]
    model.device_method.graphs = None  # type: ignore[union-attr]
    responses = served(model, [body_of(float(each)) for each in range(500)], together=40)
    assert [value_of(each) for each in responses] == [[2.0 * n] for n in range(500)]
    assert sizes <= {1, 2, 4, 8, 16, 24}


def rows(count: int) -> bytes:
    return json.dumps([tensor([count, 2], [float(n) for n in range(2 * count)])]).encode()


def test_requests_of_many_rows_and_other_shapes(late_device: FakeAccelerator):
    model = method(body="return x * 2", max_batch=8)
    bodies = [rows(count) for count in (1, 3, 8, 9, 20, 2, 5, 1)] * 10
    bodies += [body_of(*[1.0] * width) for width in range(1, 20)]
    for body, response in zip(bodies, served(model, bodies, 16), strict=True):
        (given,) = json.loads(body)
        assert json.loads(response)["result"]["shape"] == given["shape"]
        assert value_of(response) == [2 * each for each in given["value"]]


def test_graphs_are_captured_after_some_runs_and_replayed(late_device: FakeAccelerator):
    model = alone()
    responses = served(model, [body_of(float(each)) for each in range(20)], together=1)
    assert [value_of(each) for each in responses] == [[2.0 * n] for n in range(20)]
    (graph,) = late_device.graphs
    assert graph.replays == 20 - EAGER_RUNS + 1  # one to compare its results
    assert len(model.device_method.graphs) == 1  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("body", "problem"),
    [("return x + torch.rand_like(x)", "other results"), ("return x", "not permitted")],
)
def test_what_no_graph_can_hold_runs_without(
    late_device: FakeAccelerator, caplog: pytest.LogCaptureFixture, body: str, problem: str
):
    if body == "return x":
        text = "CUDA error: operation not permitted when stream is capturing"
        late_device.capture_error = RuntimeError(text)
    model = alone(body=body)
    responses = served(model, [body_of(1.0)] * 10, together=1)
    assert all(isinstance(each, bytes) for each in responses)
    assert caplog.text.count("runs without CUDA graphs") == 1
    assert problem in caplog.text
    assert late_device.counts["capture"] == 1


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ("x: Tensor", "return x if bool(x.sum() > 0) else -x"),
        ("x: Tensor", "return x[x > 0]"),
        ("x: Tensor, n: int = 1", "return x * n"),
    ],
)
def test_what_waits_for_the_device_is_not_captured(
    late_device: FakeAccelerator, arguments: str, body: str
):
    responses = served(alone(arguments, "Tensor", body), [body_of(3.0)] * 10, together=1)
    assert [value_of(each) for each in responses] == [[3.0]] * 10
    assert late_device.counts["capture"] == 0


def test_graphs_can_be_turned_off(late_device: FakeAccelerator):
    model = method_of(scripted("x: Tensor", "Tensor", "return x"), ModelConfig(graphs=False))
    served(model, [body_of(3.0)] * 10)
    assert late_device.counts["capture"] == 0


def test_only_the_guilty_of_a_batch_fails(late_device: FakeAccelerator):
    model = method(body="assert bool((x < 100).all()), 'too large'\n    return x")
    served(model, [body_of(1.0)])
    bodies = [body_of(1000.0 if n % 10 == 3 else float(n)) for n in range(80)]
    for number, response in enumerate(served(model, bodies, 40)):
        if number % 10 == 3:
            assert isinstance(response, InferenceFailed)
            assert "too large" in response.detail
        else:
            assert value_of(response) == [float(number)]


def test_a_result_that_loses_rows_ends_batching(late_device: FakeAccelerator):
    model = method(body="return x if x.size(0) < 3 else x[:1]")
    responses = served(model, [body_of(float(n)) for n in range(60)], 30)
    assert [value_of(each) for each in responses] == [[float(n)] for n in range(60)]
    assert model.batcher is not None
    assert model.batcher.state is OFF


def test_bad_bodies_and_structures(late_device: FakeAccelerator):
    model = method(
        "d: Dict[str, Tensor], n: int",
        "Tuple[Tensor, Dict[str, int]]",
        "return d['a'] * n, {'n': n}",
    )
    good = json.dumps({"d": {"a": tensor([1], [2.0])}, "n": 3}).encode()
    responses = served(model, [good, b"[", good, b"[1, 2]", good] * 5)
    for number, response in enumerate(responses):
        assert isinstance(response, bytes) == (number % 5 in (0, 2, 4)), response


def test_large_results_are_encoded_in_executor_threads(
    late_device: FakeAccelerator, monkeypatch: pytest.MonkeyPatch
):
    threads: dict[str, set[str]] = {"small": set(), "large": set()}
    model = alone("x: Tensor, n: int", "Tensor", "return x.repeat(n)")
    encode = model.encode

    def recorded(outputs: torch.Tensor) -> bytes:
        kind = "large" if outputs.numel() > 10_000 else "small"
        threads[kind].add(threading.current_thread().name)
        return encode(outputs)

    monkeypatch.setattr(model, "encode", recorded)
    body = tensor([1], [1.5])
    served(model, [json.dumps({"x": body, "n": n}).encode() for n in (1, 20_000)] * 10)
    assert threads["small"] == {"MainThread"}
    assert threads["large"] <= {"executor-0", "executor-1"}


def test_a_device_that_fails_ends_the_worker_and_blames_the_guilty(
    late_device: FakeAccelerator, monkeypatch: pytest.MonkeyPatch
):
    fatal: list[tuple[Any, ...]] = []
    events = EngineEvents(on_fatal=lambda *arguments: fatal.append(arguments))
    good, bad = alone(), method_of(scripted("x: Tensor", "Tensor", "return x"), identifier="bad.pt")
    engine = Engine(2, in_flight=range(8), events=events)
    engine.start()

    async def ask_all() -> list[Any]:
        for model in (good, bad):
            await engine.submit(model, body_of(-11111.0))
            # however long that took: what threads decode comes in any order
            monkeypatch.setattr(model.inline, "may_run_inline", lambda _: True)
        before = [engine.submit(good, body_of(float(n))) for n in range(4)]
        failing = [engine.submit(bad, body_of(POISON))]
        after = [engine.submit(good, body_of(float(n))) for n in range(4)]
        responses = await asyncio.gather(*before, *failing, *after, return_exceptions=True)
        later = await asyncio.gather(engine.submit(good, body_of(1.0)), return_exceptions=True)
        return [*responses, *later]

    try:
        responses = asyncio.run(ask_all())
    finally:
        engine.close()
    assert value_of(responses[0]) == [0.0]  # then it is the other model's turn
    assert all(isinstance(each, DeviceFailed) for each in responses[4:])
    assert len(fatal) == 1
    assert "bad.pt" in str(fatal)


def test_what_waits_is_finished_before_the_end(late_device: FakeAccelerator):
    responses = served(alone(), [body_of(float(n)) for n in range(300)], together=300)
    assert len([each for each in responses if isinstance(each, bytes)]) >= 256
    assert not [each for each in threading.enumerate() if each.name.startswith("cpu ")]

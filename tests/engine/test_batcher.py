"""Requests that run as one: what may, what comes back to whom, and models that claim too much."""

import asyncio
import json
import os
import random
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from tests.support.client import LIMIT_S, Client, in_threads, scalar, tensor
from tests.support.loaded import method_of
from tests.support.process import Process
from tests.support.servables import scripted
from torch_serving.config import ModelConfig
from torch_serving.engine.batch_tensors import (
    NotRowWise,
    concatenate,
    groups_of,
    is_close,
    rows_of,
    split,
)
from torch_serving.engine.batcher import OFF, UNVALIDATED
from torch_serving.engine.engine import Engine
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import DeviceFailed, InferenceFailed, OutOfMemory
from torch_serving.models.servable import Method
from torch_serving.telemetry._counters import SIZES

CPU = torch.device("cpu")
# requests of each client in the test of stamps; CONTRIBUTING.md has the long run
STAMPS = int(os.environ.get("TORCH_SERVING_STAMPS", "1500"))


class Pair(NamedTuple):
    a: Any
    b: Any


def method(
    arguments: str = "x: Tensor",
    result: str = "Tensor",
    body: str = "return x * 2",
    max_batch: int = 32,
) -> Method:
    config = ModelConfig(batch=True, max_batch=max_batch)
    return method_of(scripted(arguments, result, body), config)


def body_of(*values: object, data_type: str = "float32") -> bytes:
    return json.dumps([tensor([1, len(values)], list(values), data_type)]).encode()


def in_a_thread(function: Callable[..., Any], *arguments: object) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result(LIMIT_S)


def validated(method: Method, body: bytes | None = None) -> Method:
    in_a_thread(Engine(1).run, method, body or body_of(1.0, 2.0))
    assert method.batcher is not None
    return method


def sizes(method: Method) -> dict[int, int]:
    """How many runs had several requests, by the next power of two."""
    runs, _ = method.counters.numbers().batches
    return {size: count for size, count in zip(SIZES, runs, strict=False) if count and size > 1}


X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("inputs", "rows"),
    [
        ([X], 2),
        ([X, X[:, :1], 5, "a"], 2),
        ([[X, X], {"k": (X, None)}], 2),
        ([X, X[:1]], None),
        ([X, torch.tensor(1.0)], None),
        ([torch.tensor(1.0)], None),
        ([X[:0]], None),
        ([{torch.tensor(1): X}], None),
        ([1, "a"], None),
        ([], None),
    ],
)
def test_rows_are_those_that_all_tensors_have(inputs: list[Any], rows: int | None):
    assert rows_of(inputs) == rows


ALIKE = [X, X + 1, X[:1]]


@pytest.mark.parametrize(
    ("requests", "groups"),
    [
        ([[x] for x in ALIKE], [[0, 1, 2]]),
        ([[X], [X[:, :2]], [X], [X.int()], [X.unsqueeze(0)]], [[0, 2], [1], [3], [4]]),
        ([[X, 1], [X, 2], [X, 1]], [[0, 2], [1]]),
        ([[X, "a"], [X, "b"], [X, None], [X, "a"]], [[0, 3], [1], [2]]),
        ([[X, 1], [X, True], [X, 1.0]], [[0], [1], [2]]),
        ([[X, float("nan")], [X, float("nan")]], [[0], [1]]),
        ([[{"a": X}], [{"b": X}], [{"a": X}]], [[0, 2], [1]]),
        ([[[X, X]], [[X]], [(X,)], [[X, X]]], [[0, 3], [1], [2]]),
        ([[1], [1]], [[0], [1]]),  # no rows, nothing to gain
        ([[torch.tensor(1.0)], [torch.tensor(1.0)]], [[0], [1]]),
        ([[X], [X], [X], [X[:1]]], [[0, 1, 3], [2]]),  # 2 + 2 + 1 rows of 5 at most
    ],
)
def test_what_differs_in_more_than_rows_does_not_run_together(
    requests: list[Any], groups: list[list[int]]
):
    assert groups_of(requests, 5 if len(requests) == 4 else 100) == groups


@pytest.mark.parametrize(
    "value",
    [X, [X, X * 2], (X, [X]), {"a": X, "b": {"c": [X]}}, Pair(X, (X, 3)), [X, "text", None, 7]],
)
def test_what_is_concatenated_is_split_again(value: Any):
    other = concatenate([value])
    together = concatenate([value, other, value])
    parts = split(together, [2, 2, 2])
    assert len(parts) == 3
    for part in parts:
        assert type(part) is type(value)
        assert is_close(part, value)


@pytest.mark.parametrize("value", [torch.tensor(1.0), X, [X, X[:1]], {"a": torch.ones(5)}])
def test_results_without_a_row_for_each_row_are_not_split(value: Any):
    with pytest.raises(NotRowWise):
        split(value, [2, 2])


@pytest.mark.parametrize(
    ("arguments", "result", "body", "state"),
    [
        ("x: Tensor", "Tensor", "return x.relu()", "on"),
        ("x: Tensor", "Tensor", "return x.sum(-1)", "on"),
        ("x: Tensor", "Tensor", "return x.softmax(-1)", "on"),
        ("x: Tensor", "Tuple[Tensor, Dict[str, List[Tensor]]]", "return x, {'k': [x]}", "on"),
        ("x: Tensor", "Tuple[Tensor, str, int]", "return x, 'a', 3", "on"),
        ("x: Tensor", "Tensor", "return x.sum()", "off"),
        ("x: Tensor", "Tensor", "return x.sum(0)", "off"),
        ("x: Tensor", "Tensor", "return x.softmax(0)", "off"),
        ("x: Tensor", "Tensor", "return x - x.mean(0)", "off"),
        ("x: Tensor", "Tensor", "return x / x.max()", "off"),
        ("x: Tensor", "Tensor", "return x.flip(0)", "off"),
        ("x: Tensor", "Tensor", "return torch.rand_like(x)", "off"),
        ("x: Tensor", "Tensor", "return x.repeat(2, 1)", "off"),
        ("x: Tensor", "Tuple[Tensor, int]", "return x, x.size(0)", "off"),
        ("x: Tensor", "int", "return 3", "on"),
        ("x: Tensor", "Tensor", "assert x.size(0) == 1, 'one at a time'\n    return x", "off"),
        # it minds values, which says nothing about rows
        ("x: Tensor", "Tensor", "assert bool((x >= 1).all()), 'small'\n    return x", "on"),
    ],
)
def test_a_model_is_validated_to_work_row_by_row(
    arguments: str, result: str, body: str, state: str, caplog: pytest.LogCaptureFixture
):
    model = validated(method(arguments, result, body))
    assert model.batcher is not None
    assert model.batcher.state.value == state
    assert ("served one by one" in caplog.text) == (state == "off")


def test_a_request_that_has_no_rows_validates_nothing():
    model = method("x: Tensor, n: int", "Tensor", "return x * n")
    validated(model, json.dumps([tensor([], [1.0]), scalar(1, "int")]).encode())
    assert model.batcher is not None
    assert model.batcher.state is UNVALIDATED


def test_only_the_guilty_of_a_batch_fails():
    picky = validated(
        method(body="assert bool((x < 100).all()), 'too large'\n    return x"), body_of(1.0)
    )
    jobs = [Job(picky, body_of(value)) for value in (1.0, 2.0, 100.0, 3.0)]
    in_a_thread(run_all, jobs)
    assert [type(job.error) for job in jobs] == [
        type(None),
        type(None),
        InferenceFailed,
        type(None),
    ]
    assert b'"value":[3.0]' in jobs[3].response
    assert sizes(picky) == {}


def test_other_requests_that_go_wrong_leave_a_batch_whole():
    double = validated(method())
    other = validated(method(body="return x + 1"))
    bodies = [body_of(1.0), b"[", body_of(2.0), b'["a"]', body_of(1.0, 2.0), body_of(3.0)]
    jobs = [Job(double, body) for body in bodies] + [Job(other, body_of(7.0))]
    in_a_thread(run_all, jobs)
    assert [job.error is None for job in jobs] == [True, False, True, False, True, True, True]
    for job, text in (
        (0, b"[2.0]"),
        (2, b"[4.0]"),
        (4, b"[2.0,4.0]"),
        (5, b"[6.0]"),
        (6, b"[8.0]"),
    ):
        assert b'"value":' + text in jobs[job].response
    assert sizes(double) == {4: 1}
    assert sizes(other) == {}


def test_a_result_that_loses_rows_later_ends_batching(caplog: pytest.LogCaptureFixture):
    model = validated(method(body="return x if x.size(0) < 3 else x[:1]"))
    jobs = [Job(model, body_of(float(value))) for value in range(3)]
    in_a_thread(run_all, jobs)
    assert [job.error for job in jobs] == [None] * 3
    assert model.batcher is not None
    assert model.batcher.state is OFF
    assert "shape [1, 1] for 3 rows" in caplog.text


def test_batches_have_at_most_so_many_rows():
    model = validated(method(max_batch=4))
    jobs = [Job(model, body_of(float(value))) for value in range(10)]
    in_a_thread(run_all, jobs)
    assert sizes(model) == {2: 1, 4: 2}


async def submit_while_busy(engine: Engine, model: Method, bodies: list[bytes]) -> list[bytes]:
    """Submit requests while the only thread is held."""
    held, free = threading.Event(), threading.Event()

    def hold(inputs: object) -> object:
        held.set()
        assert free.wait(LIMIT_S)
        return inputs

    holder = method(body="return x")
    holder.run = hold  # type: ignore[assignment, method-assign]
    holding = asyncio.ensure_future(engine.submit(holder, body_of(1.0)))
    await asyncio.to_thread(held.wait, LIMIT_S)
    waiting = [asyncio.ensure_future(engine.submit(model, body)) for body in bodies]
    await asyncio.sleep(0)
    free.set()
    await holding
    return list(await asyncio.gather(*waiting))


def test_what_waits_for_a_lane_runs_as_one():
    engine = Engine(1)
    engine.start()
    model = validated(method())
    bodies = [body_of(float(value)) for value in range(20)]
    try:
        responses = asyncio.run(submit_while_busy(engine, model, bodies))
    finally:
        engine.close()
    for value, response in enumerate(responses):
        assert b'"value":[%.1f]' % (2 * value) in response
    assert sizes(model) == {32: 1}


async def ask_with_stamps(engine: Engine, model: Method, client: int) -> None:
    choose = random.Random(client)
    for index in range(STAMPS):
        stamp = [client, index, choose.randrange(1 << 30)]
        if choose.randrange(50) == 0:
            with pytest.raises(InferenceFailed, match="negative"):
                await engine.submit(model, body_of(*stamp, -1, data_type="int64"))
        else:
            response = await engine.submit(model, body_of(*stamp, 7, data_type="int64"))
            values = json.loads(response)["result"]["value"]
            assert values == [*stamp, 7]


def test_clients_get_what_is_theirs():
    """Stamped tensors of eight clients in batches, with requests among them that fail."""
    engine = Engine(2, in_flight=range(8))
    engine.start()
    model = validated(
        method(body="assert bool((x >= 0).all()), 'negative'\n    return x.clone()"),
        body_of(1, 2, 3, 7, data_type="int64"),
    )

    async def ask() -> None:
        await asyncio.gather(*(ask_with_stamps(engine, model, client) for client in range(8)))

    try:
        asyncio.run(ask())
    finally:
        engine.close()
    assert sum(sizes(model).values()) > 0


def test_memory_is_freed_once_and_the_request_tried_again():
    freed = []

    def free(device: torch.device) -> bool:
        freed.append(device)
        return True

    engine = Engine(1, events=EngineEvents(free_memory=free))
    engine.start()
    model = method()
    run, failures = model.run, [1]

    def run_out(inputs: list[Any]) -> Any:
        if failures:
            failures.pop()
            raise OutOfMemory("none left")
        return run(inputs)

    model.run = run_out  # type: ignore[method-assign]
    try:
        assert b"[2.0]" in asyncio.run(engine.submit(model, body_of(1.0)))
        failures += [1, 1]
        with pytest.raises(OutOfMemory):
            asyncio.run(engine.submit(model, body_of(1.0)))
    finally:
        engine.close()
    assert freed == [CPU, CPU]


def test_a_device_in_error_is_reported_and_ends_the_worker():
    reported = threading.Event()
    engine = Engine(1, events=EngineEvents(on_fatal=lambda why: reported.set()))
    engine.start()
    model = method()

    def fail(*inputs: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered")

    model._run = fail
    try:
        with pytest.raises(DeviceFailed):
            asyncio.run(engine.submit(model, body_of(1.0)))
    finally:
        engine.close()
    assert reported.is_set()


def test_a_model_can_not_pretend_that_its_device_is_in_error():
    words = "raise ValueError('CUDA error: out of memory')\n    return x"
    with pytest.raises(InferenceFailed, match="CUDA error: out of memory"):
        in_a_thread(Engine(1).run, method(body=words), body_of(1.0))


def test_a_request_for_more_memory_than_there_is():
    method = method_of(scripted("x: Tensor", "Tensor", "return x.expand(1 << 45).clone()"))
    with pytest.raises(OutOfMemory):
        in_a_thread(Engine(1).run, method, b'[{"type":"tensor","value":[1]}]')


def test_batches_form_in_the_server(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--batch", "wide.pt", "--threads", "1")
    url = process.url

    def ask(client: int) -> None:
        with Client(url) as connection:
            for index in range(100):
                result = connection.post("wide.pt", [tensor([1, 2], [client, index])]).result
                assert result == tensor([1, 2], [client + 1, index + 1])

    in_threads(8, ask)
    with urllib.request.urlopen(f"{url}/models/wide.pt", timeout=LIMIT_S) as response:
        batching = json.load(response)["methods"]["forward"]["batching"]
    assert batching["state"] == "on"
    assert batching["max_batch"] == 32
    assert any(int(size) > 1 for size in batching["runs_of_up_to"])
    assert batching["requests"] == 800

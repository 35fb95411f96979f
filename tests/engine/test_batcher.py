"""Requests that run as one: what may, what comes back to whom, and models that claim too much."""

import asyncio
import json
import os
import random
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.batching import body_of, method
from tests.support.client import LIMIT_S, Client, in_a_thread, in_threads, scalar, tensor
from tests.support.process import Process
from torch_serving.engine.batcher import OFF, UNVALIDATED
from torch_serving.engine.engine import Engine
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import InferenceFailed
from torch_serving.models.servable import Method
from torch_serving.telemetry._counters import SIZES

# requests of each client in the test of stamps; CONTRIBUTING.md has the long run
STAMPS = int(os.environ.get("TORCH_SERVING_STAMPS", "1500"))


def validated(method: Method, body: bytes | None = None) -> Method:
    in_a_thread(Engine(1).run, method, body or body_of(1.0, 2.0))
    assert method.batcher is not None
    return method


def sizes(method: Method) -> dict[int, int]:
    """How many runs had several requests, by the next power of two."""
    runs, _ = method.counters.numbers().batches
    return {size: count for size, count in zip(SIZES, runs, strict=False) if count and size > 1}


@pytest.mark.parametrize(
    ("arguments", "result", "body", "state"),
    [
        ("x: Tensor", "Tensor", "return x.relu()", "on"),
        ("x: Tensor", "Tensor", "return x.sum(-1)", "on"),
        ("x: Tensor", "Tensor", "return x.softmax(-1)", "on"),
        ("x: Tensor", "Tuple[Tensor, Dict[str, List[Tensor]]]", "return x, {'k': [x]}", "on"),
        ("x: Tensor", "Tuple[Tensor, str, int]", "return x, 'a', 3", "off"),
        ("x: Tensor", "Tensor", "return x.sum()", "off"),
        ("x: Tensor", "Tensor", "return x.sum(0)", "off"),
        ("x: Tensor", "Tensor", "return x.softmax(0)", "off"),
        ("x: Tensor", "Tensor", "return x - x.mean(0)", "off"),
        ("x: Tensor", "Tensor", "return x / x.max()", "off"),
        ("x: Tensor", "Tensor", "return x.flip(0)", "off"),
        ("x: Tensor", "Tensor", "return x.sort(0)[0]", "off"),
        ("x: Tensor", "Tensor", "return x.sort(0, descending=True)[0]", "off"),
        ("x: Tensor", "Tensor", "return x.cummax(0)[0]", "off"),
        ("x: Tensor", "Tensor", "return torch.rand_like(x)", "off"),
        ("x: Tensor", "Tensor", "return x.repeat(2, 1)", "off"),
        ("x: Tensor", "Tuple[Tensor, int]", "return x, x.size(0)", "off"),
        ("x: Tensor", "int", "return 3", "off"),
        ("x: Tensor", "Tensor", "assert x.size(0) == 1, 'one at a time'\n    return x", "off"),
        # it minds values, which says nothing about rows
        ("x: Tensor", "Tensor", "assert bool((x >= 1).all()), 'small'\n    return x", "on"),
        # the first request takes one of two branches, and others may take the other
        ("x: Tensor", "Tensor", "return x * 2 if bool((x > 100).any()) else x", "off"),
        ("x: Tensor", "Tensor", "if (x > 100).any():\n        x = x * 2\n    return x", "off"),
        ("x: Tensor", "Tensor", "n = int(x.max())\n    return x if n < 100 else x * 2", "off"),
        ("x: Tensor", "List[Tensor]", "return [x, x] if bool((x > 9).any()) else [x]", "off"),
        (
            "x: Tensor",
            "Tensor",
            "done = False\n    for _ in range(2):\n        if not done:\n            x = x * 2\n"
            "        done = bool((x > 100).any())\n    return x",
            "off",
        ),
        ("x: Tensor", "Tensor", "return x * 2 if x.size(1) > 3 else x", "on"),
        ("x: Tensor", "Tensor", "return torch.where(x > 100, x * 2, x)", "on"),
    ],
)
def test_a_model_is_validated_to_work_row_by_row(
    arguments: str, result: str, body: str, state: str, caplog: pytest.LogCaptureFixture
):
    model = validated(method(arguments, result, body))
    assert model.batcher is not None
    assert model.batcher.state.value == state
    assert ("served one by one" in caplog.text) == (state == "off")


def test_the_log_has_the_model_s_own_words(caplog: pytest.LogCaptureFixture):
    body = "assert x.size(0) == 1, 'one at a time'\n    return x"
    validated(method("x: Tensor", "Tensor", body))
    assert "not in batches: RuntimeError: AssertionError: one at a time" in caplog.text


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


def test_what_waits_for_a_thread_runs_as_one():
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

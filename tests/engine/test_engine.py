"""Where inference runs: what a slow model may not hold up, and what must not mix."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from tests.support.client import (
    LIMIT_S,
    Client,
    RawConnection,
    in_a_thread,
    in_threads,
    scalar,
    string,
    tensor,
    with_length,
)
from tests.support.loaded import method_of
from tests.support.process import Process
from tests.support.servables import SOURCES, scripted
from torch_serving.engine.engine import Engine
from torch_serving.engine.inline_policy import WARM_UP_RUNS
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import IncompatibleShape, InvalidInput, InvalidJson
from torch_serving.models.servable import Method

CPU = torch.device("cpu")


def method(arguments: str, result: str, body: str) -> Method:
    return method_of(scripted(arguments, result, body))


def health_checks_during(url: str, identifier: str, body: bytes) -> int:
    """How many get a response after a request was sent and before its own response begins."""
    has_response = threading.Event()

    def count() -> int:
        number = 0
        with Client(url) as client:
            while not has_response.is_set():
                client.get("/healthcheck")
                number += not has_response.is_set()
        return number

    with RawConnection(url) as connection, ThreadPoolExecutor(1) as pool:
        connection.send(with_length(body, f"/serve?servable_identifier={identifier}"))
        counting = pool.submit(count)
        line = connection.line()
        has_response.set()
        assert line.startswith(b"HTTP/1.1 200")
        return counting.result(LIMIT_S)


def test_the_loop_is_free_while_a_model_runs(uvicorn_server: Process, slow_body: bytes):
    url = uvicorn_server.url
    with Client(url) as client:
        for _ in range(10):  # short ones, to be tempted by
            client.post("slow.pt", [tensor([1], [1]), scalar(1, "int")])
    assert health_checks_during(url, "slow.pt", slow_body) > 10


def test_as_many_models_run_side_by_side_as_there_are_threads(
    uvicorn_server: Process, slow_body: bytes
):
    url = uvicorn_server.url
    together = threading.Barrier(2)

    def ask(index: int) -> int:
        with Client(url) as client:
            together.wait(LIMIT_S)
            if index == 0:
                return health_checks_during(url, "slow.pt", slow_body)
            return client.post("slow.pt", slow_body).status

    checks, status = in_threads(2, ask)
    assert status == 200
    assert checks > 10


def test_the_loop_is_free_while_a_small_body_makes_a_large_result(uvicorn_server: Process):
    """Zeros in a shape cost no bytes: the size of a body does not bound the work."""
    url = uvicorn_server.url
    body = b'[{"type":"tensor","shape":[0,%d],"value":[]}]'
    with Client(url) as client:
        for _ in range(10):
            client.post("columns.pt", (body % 1).ljust(100))
    assert health_checks_during(url, "columns.pt", body % 30_000_000) > 10


def test_requests_of_many_connections_do_not_mix(uvicorn_server: Process):
    url = uvicorn_server.url

    def ask(thread: int) -> None:
        choose = random.Random(thread)
        with Client(url) as client:
            for index in range(800):
                stamp = tensor([3], [thread, index, choose.randrange(1000)], "int64")
                kind = choose.randrange(10)
                if kind == 0:
                    response = client.post("echo.pt", [string(f"{thread}")])
                    assert response.document["description"] == "Invalid Input JSON"
                elif kind == 1:
                    response = client.post(
                        "raising.pt", [stamp, scalar(thread * 1000 + index, "int")]
                    )
                    detail = response.document["detail"]
                    expected = f"too cold: {thread * 1000 + index}"
                    assert expected in detail if thread + index else response.status == 400
                elif kind == 2:
                    response = client.post("str.pt", string(f"{thread} {index}"))
                    assert response.result == string(f"{thread} {index}")
                else:
                    assert client.post("echo.pt", [stamp]).result == stamp

    in_threads(8, ask)


def test_an_error_in_a_group_stays_with_its_job():
    echo = method(*SOURCES["echo.pt"])
    picky = method("x: Tensor", "Tensor", "assert x.numel() == 1, 'only one'\n    return x")
    sparse = method(*SOURCES["sparse.pt"])
    one, two = (b'[{"type":"tensor","value":%s}]' % value for value in (b"[1]", b"[1,2]"))
    jobs = [
        Job(echo, one),
        Job(echo, b"{"),
        Job(picky, two),
        Job(picky, one),
        Job(echo, b'["a"]'),
        Job(sparse, one),
        Job(echo, two),
    ]
    in_a_thread(run_all, jobs)
    assert [type(job.error).__name__ for job in jobs] == [
        "NoneType",
        "InvalidJson",
        "InferenceFailed",
        "NoneType",
        "InvalidInput",
        "UnsupportedResult",
        "NoneType",
    ]
    assert b'"value":[1.0]' in jobs[0].response
    assert b'"value":[1.0]' in jobs[3].response
    assert b'"value":[1.0,2.0]' in jobs[6].response
    assert all(job.elapsed_s > 0 for job in jobs)


def test_a_job_releases_what_it_needs_no_more():
    """Of body, outputs and response, two are in memory at most; inputs stay for a retry."""
    job = Job(method(*SOURCES["echo.pt"]), b'[{"type":"tensor","value":[1]}]')
    held: list[tuple[bool, bool, bool]] = []

    def watched(step: str) -> None:
        function = getattr(job.invocation, step)

        def watch(value: Any) -> Any:
            held.append((bool(job.body), job.inputs is not None, job.outputs is not None))
            return function(value)

        setattr(job.invocation, step, watch)

    for step in ("decode", "run", "encode"):
        watched(step)
    in_a_thread(run_all, [job])
    assert held == [(True, False, False), (False, True, False), (False, True, True)]
    assert (job.body, job.outputs) == (b"", None)
    assert b'"value":[1.0]' in job.response


def test_run_raises_what_is_wrong():
    echo = method(*SOURCES["echo.pt"])
    two = method(*SOURCES["two.pt"])
    one = b'{"type":"tensor","value":[1,2]}'
    three = b'{"type":"tensor","value":[1,2,3]}'
    run = Engine(1).run
    assert b'"value":[1.0,2.0]' in in_a_thread(run, echo, b"[%b]" % one)
    with pytest.raises(InvalidJson, match="byte 1"):
        in_a_thread(run, echo, b"[")
    with pytest.raises(InvalidInput, match="1 argument"):
        in_a_thread(run, echo, b"[]")
    with pytest.raises(IncompatibleShape, match="must match the size"):
        in_a_thread(run, two, b"[%b,%b]" % (one, three))


def test_inference_mode_is_entered():
    modes = method(*SOURCES["modes.pt"])
    here = torch.is_grad_enabled()
    response = in_a_thread(Engine(1).run, modes, b'[{"type":"tensor","value":[1]}]')
    assert response.count(b"false") == 2
    assert torch.is_grad_enabled() == here  # nothing has changed


def test_inference_mode_is_left_on_in_threads_that_run_models():
    def run() -> bool:
        run_all([])
        return torch.is_inference_mode_enabled()

    assert in_a_thread(run)


def test_threads_end_when_the_engine_is_closed():
    engine = Engine(2)
    before = threading.active_count()
    threads = torch.get_num_threads()
    try:
        engine.start()
        assert threading.active_count() == before + 2
        engine.close()
        for thread in threading.enumerate():
            if thread.name.startswith("executor-"):
                thread.join(LIMIT_S)
        assert threading.active_count() == before
    finally:
        torch.set_num_threads(threads)


@pytest.mark.usefixtures("every_run_is_short")
def test_runs_are_recorded():
    """What a job took is known of its method, whether it went well or raised."""
    picky = method("x: Tensor", "Tensor", "assert x.numel() == 1, 'only one'\n    return x")
    one, two = (b'[{"type":"tensor","value":%s}]' % value for value in (b"[1]", b"[1,2]"))
    for body in (one, two):
        for _ in range(WARM_UP_RUNS + 1):
            in_a_thread(run_all, [Job(picky, body)])
    assert picky.inline.may_run_inline(len(two))
    assert picky.inline.can_run_inline([torch.empty(1)])
    assert picky.inline.can_run_inline([torch.empty(2)])
    in_a_thread(run_all, [Job(picky, b"{")])  # no inputs: nothing to record
    assert not picky.inline.can_run_inline([torch.empty(3)])


def test_a_thread_goes_on_after_an_unexpected_error(monkeypatch: pytest.MonkeyPatch):
    echo = method(*SOURCES["echo.pt"])
    engine = Engine(1)
    body = b'[{"type":"tensor","value":[1]}]'

    def fail(*arguments: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    async def ask() -> bytes:
        with monkeypatch.context() as patched:
            patched.setattr(echo.inline, "record", fail)
            with pytest.raises(RuntimeError, match="changed size"):
                await engine.submit(echo, body)
        return await engine.submit(echo, body)

    engine.start()
    try:
        assert b'"value":[1.0]' in asyncio.run(ask())
        assert engine._dispatcher.jobs == 0
    finally:
        engine.close()

"""A server serves while models are loaded, and when the loading of one does not end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, tensor
from tests.support.process import Process, child_pids, is_alive, wait_until
from tests.support.servables import scripted
from tests.support.slow_loading import Adding, Multiplying, save_slow

X = [tensor([1], [2.0])]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    save_slow(tmp_path / "adding.pt", kind=Adding)
    save_slow(tmp_path / "multiplying.pt", kind=Multiplying)
    scripted("x: Tensor", "Tensor", "return x").save(tmp_path / "echo.pt")
    return tmp_path


@pytest.mark.parametrize("flags", [(), ("--no-trial-load",), ("--workers", "2")])
def test_what_does_not_end_holds_up_nothing(
    root: Path, start: Callable[..., Process], flags: tuple[str, ...]
):
    process = start(root, "--port", "0", *flags)
    url = process.url
    workers = child_pids(process)
    with Client(url) as client:
        for model in ("adding.pt", "multiplying.pt"):
            response = client.post(model, X, headers={"x-request-timeout-ms": "200"})
            assert response.status == 504
        assert client.get("/healthcheck").status == 200
        assert client.post("echo.pt", X).status == 200
    assert set(workers) <= set(child_pids(process))


def test_trials_end_with_a_parent_that_is_killed(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0")
    with Client(process.url) as client:
        client.post("adding.pt", X, headers={"x-request-timeout-ms": "1"})
    wait_until(lambda: len(child_pids(process)) == 2)
    children = child_pids(process)
    process.end()
    wait_until(lambda: not any(is_alive(pid) for pid in children))


def test_a_trial_that_takes_too_long_is_a_refusal(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--load-timeout", "2")
    url = process.url
    workers = child_pids(process)
    with Client(url) as client:
        for _ in range(2):
            response = client.post("adding.pt", X)
            assert response.status == 400
            assert "--load-timeout" in response.document["detail"]
        assert client.post("echo.pt", X).status == 200
    wait_until(lambda: child_pids(process) == workers)
    assert process.stderr.count("loading adding.pt ended its process (it took too long)") == 1


@pytest.mark.parametrize("model", ["adding.pt", "multiplying.pt"])
def test_a_preloaded_model_that_takes_too_long_ends_the_start(
    root: Path, start: Callable[..., Process], model: str
):
    process = start(root, "--port", "0", "--load-timeout", "0.2", "--preload", model)
    assert process.exit_code() == 2
    assert f"loading `{model}` takes longer than --load-timeout, 0.2 s" in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_what_was_not_tried_costs_its_worker(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--load-timeout", "1", "--no-trial-load")
    url = process.url
    before = child_pids(process)
    with Client(url) as client:
        assert client.post("adding.pt", X, headers={"x-request-timeout-ms": "50"}).status == 504
    wait_until(lambda: not set(before) & set(child_pids(process)))
    with Client(url) as client:
        assert client.post("echo.pt", X).status == 200
    wait_until(lambda: "the loading of a model does not end: adding.pt" in process.stderr)

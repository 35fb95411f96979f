"""Signals: after the first, accepted requests are finished; the second ends the server."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import (
    Client,
    RawConnection,
    raw_request,
    string,
    tensor,
    warm_up,
    with_length,
)
from tests.support.gate import GATED
from tests.support.process import ROOT, Process, child_pids, wait_until
from tests.support.servables import scripted
from tests.support.transports import needs_meinheld
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.supervisor import Hooks, Supervisor
from torch_serving.server.trial_loads import TrialLoads
from torch_serving.server.worker_pool import WorkerPool

SLOW = "/serve?servable_identifier=slow.pt"
ENDLESS = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1000000000000}]'


def is_refused(url: str) -> bool:
    try:
        with RawConnection(url) as connection:
            connection.send(raw_request(method="GET", target="/healthcheck"))
            return connection.response() is None
    except (ConnectionRefusedError, ConnectionResetError):  # the latter while it is accepted
        return True


def see_that_it_runs(url: str) -> None:
    """Once the server has responded to these, it has received whatever was sent before."""
    with Client(url) as client:
        for _ in range(3):
            client.get("/healthcheck")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_end(tmp_path: Path, start: Callable[..., Process], number: int):
    scripted(*GATED).save(tmp_path / "gated.pt")
    gate = tmp_path / "gate"
    flags = ["--port", "0", "--import", "tests.support.gate"]
    process = start(tmp_path, *flags, PYTHONPATH=str(ROOT))
    url = process.url
    body = json.dumps([tensor([1], [2.5]), string(str(gate))]).encode()
    with RawConnection(url) as connection, RawConnection(url) as idle:
        connection.send(with_length(body, "/serve?servable_identifier=gated.pt"))
        see_that_it_runs(url)
        process.signal(number)
        wait_until(lambda: is_refused(url))
        assert process.is_running()
        gate.touch()
        assert connection.response().result == tensor([1], [2.5])
        assert connection.response() is None
        assert idle.response() is None
    assert process.exit_code() == 0
    assert process.stdout.splitlines()[-1].split()[-3] == "200"
    assert process.problems == ""


@needs_meinheld
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_meinheld_ends_the_request_it_is_at(
    model_root: Path, start: Callable[..., Process], brief_body: bytes, number: int
):
    process = start(model_root, "--port", "0", "--server", "meinheld")
    warm_up(process.url)
    with RawConnection(process.url) as connection:
        wait_until(lambda: process.stdout.count("slow.pt") == 3)
        connection.send(with_length(brief_body, SLOW))
        process.signal(number)
        response = connection.response()
    assert response is None or response.result == tensor([1], [2.5])
    assert process.exit_code() == 0
    assert process.stdout.count("slow.pt") == 3 + (response is not None)
    assert process.problems == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(
    model_root: Path, start: Callable[..., Process], number: int
):
    process = start(model_root, "--port", "0")
    url = process.url
    with RawConnection(url) as connection:
        connection.send(with_length(ENDLESS, SLOW))
        see_that_it_runs(url)
        process.signal(number)
        wait_until(lambda: is_refused(url))
        assert process.is_running()
        process.signal(number)
        assert process.exit_code() == 128 + number
        assert connection.response() is None


def test_a_second_signal_ends_workers_before_trials(
    shared: SharedState, monkeypatch: pytest.MonkeyPatch
):
    """A worker that is there when its trial ends says that the model crashed."""
    ended: list[object] = []
    monkeypatch.setattr(WorkerPool, "end", lambda pool, number: ended.append(number))
    monkeypatch.setattr(TrialLoads, "end", lambda trials: ended.append("trials"))
    supervisor = Supervisor(1, Hooks(lambda channel: 0), shared)
    for number in (signal.SIGTERM, signal.SIGINT):
        supervisor._signals._on_stop(number, None)
        supervisor._forward_stop_signals()
    assert ended == [signal.SIGTERM, signal.SIGKILL, "trials"]


@pytest.mark.parametrize("is_loaded", [False, True])
def test_requests_that_do_not_end_are_cancelled(
    model_root: Path, start: Callable[..., Process], is_loaded: bool
):
    process = start(model_root, "--port", "0", "--shutdown-timeout", "1")
    url = process.url
    if is_loaded:
        warm_up(url)
    with RawConnection(url) as one, RawConnection(url) as other:
        for connection in (one, other):
            connection.send(with_length(ENDLESS, SLOW))
        see_that_it_runs(url)
        process.signal()
        assert process.exit_code() == 0
        assert [one.response().status, other.response().status] == [503, 503]
    assert "Traceback" not in process.stderr


def test_a_signal_while_nothing_happens(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0")
    with RawConnection(process.url) as silent, Client(process.url) as client:
        client.get("/healthcheck")
        process.signal()
        assert process.exit_code() == 0
        assert silent.response() is None
    assert process.problems == ""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_does_not_run_is_killed(
    model_root: Path, start: Callable[..., Process], workers: str
):
    flags = ["--workers", workers, "--shutdown-timeout", "0.2"]
    process = start(model_root, "--port", "0", *flags)
    assert process.url
    os.kill(child_pids(process)[0], signal.SIGSTOP)
    process.signal()
    assert process.exit_code() == 0
    assert "does not end: it is killed" in process.stderr

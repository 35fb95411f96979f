"""Workers whose device is in error: a successor responds to what comes next."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.broken_device import X, break_device, check_good
from tests.support.client import LIMIT_S, Client, in_threads, tensor
from tests.support.process import Process, child_pids, exit_code_of_child, wait_until
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.parent_channel import ParentChannel
from torch_serving.server.supervisor import EXIT_FAILED, EXIT_MISCONFIGURED, Hooks, Supervisor
from torch_serving.server.worker_pool import Worker, WorkerPool, WorkerState

SET_UPS = pytest.mark.parametrize("workers", ["1", "2"])


def start_server(start: Callable[..., Process], breaking_root: Path, *flags: str) -> Process:
    return start(breaking_root, "--port", "0", "--preload", "*.pt", *flags)


@SET_UPS
def test_whoever_comes_next_is_answered_by_the_successor(
    breaking_root: Path, start: Callable[..., Process], workers: str
):
    process = start_server(start, breaking_root, "--workers", workers, "--quarantine", "0")
    url = process.url
    before = set(child_pids(process))
    for _ in range(3):
        break_device(url)
        for _ in range(10):
            check_good(url)
    wait_until(lambda: len(child_pids(process)) == int(workers))
    assert set(child_pids(process)) != before
    assert process.stderr.count("has failed (a device is in error), by breaking.pt") == 3
    assert "died" not in process.stderr
    process.signal()
    assert process.exit_code() == 0


@SET_UPS
def test_clients_that_send_all_the_time_never_get_a_400(
    breaking_root: Path, start: Callable[..., Process], workers: str
):
    process = start_server(start, breaking_root, "--workers", workers, "--quarantine", "0")
    url = process.url
    done = threading.Event()

    def send_requests(index: int) -> None:
        if index == 0:
            try:
                for _ in range(3):
                    break_device(url)
                    check_good(url)
            finally:
                done.set()
        while not done.is_set():
            check_good(url)

    in_threads(4, send_requests)


def test_only_the_guilty_model_is_quarantined(breaking_root: Path, start: Callable[..., Process]):
    process = start_server(start, breaking_root, "--quarantine", "300", "--threads", "2")
    url = process.url
    running = [tensor([1], [1]), {"type": "scalar", "data_type": "int", "value": 30_000_000}]
    for _ in range(2):
        with Client(url) as client:
            target = "/serve?servable_identifier=slow.pt"
            client._connection.request("POST", target, json.dumps(running))
            break_device(url)
            check_good(url)
    wait_until(lambda: "breaking.pt is in quarantine for 300 s" in process.stderr)
    with Client(url) as client:
        response = client.post("breaking.pt", X)
        assert (response.status, response.document["description"]) == (503, "Model quarantined")
        for name, body in (("echo.pt", X), ("slow.pt", [*running[:1], {**running[1], "value": 1}])):
            assert client.post(name, body).status == 200
    assert process.stderr.count("is in quarantine") == 1
    assert process.stderr.count("has failed") == 2


@pytest.mark.parametrize("is_notified", [True, False])
def test_a_successor_starts_before_its_predecessor_has_drained(
    tmp_path: Path, shared: SharedState, is_notified: bool
):
    """Without the message, as if it were still on its way, when that one has ended."""
    starts = tmp_path / "starts"

    def serve(channel: ParentChannel) -> int:
        with starts.open("a") as file:
            file.write(f"{os.getpid()}\n")
        channel.notify_ready()
        if len(starts.read_text().splitlines()) > 2:
            shared.quarantine.check("innocent.pt")
            assert shared.quarantine.remaining_s("guilty.pt")
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(LIMIT_S)
        shared.request_restart("it is broken", ["guilty.pt"])
        shared.request_restart("so is this", ["innocent.pt"])
        if is_notified:
            channel.notify_failed()
            own = f"{os.getpid()}\n"
            wait_until(lambda: not starts.read_text().endswith(own))
        return EXIT_FAILED

    assert exit_code_of_child(lambda: Supervisor(1, Hooks(serve), shared).run()) == 0
    assert len(starts.read_text().splitlines()) == 3


def test_failures_never_slow_the_next_start_down(
    monkeypatch: pytest.MonkeyPatch, shared: SharedState
):
    monkeypatch.setattr("torch_serving.server.worker_pool.WorkerPool.start", start_nothing)
    supervisor = Supervisor(1, Hooks(lambda channel: 0), shared)
    supervisor._pool.start_due()
    for _ in range(5):
        [worker] = supervisor._pool.workers
        worker.state = WorkerState.READY
        shared.failures._own = shared.failures._documents[worker.slot]
        shared.failures.is_reported = False
        shared.request_restart("it is broken")
        supervisor._on_exit(worker, EXIT_FAILED)
        assert [each.state for each in supervisor._pool.workers] == [WorkerState.STARTING]


def start_nothing(pool: WorkerPool, worker: Worker) -> None:
    worker.set_started(os.getpid(), None)  # type: ignore[arg-type]


def test_a_failure_while_workers_are_replaced(monkeypatch: pytest.MonkeyPatch, shared: SharedState):
    """Its successor is what is replaced; there are as many workers as before."""
    sent: list[int] = []
    monkeypatch.setattr("torch_serving.server.worker_pool.WorkerPool.start", start_nothing)
    monkeypatch.setattr(
        "torch_serving.server.worker_pool.send_signal", lambda pid, number: sent.append(number)
    )
    supervisor = Supervisor(1, Hooks(lambda channel: 0), shared)
    supervisor._pool.start_due()
    [worker] = supervisor._pool.workers
    worker.state = WorkerState.READY
    supervisor._restart.on_trial_exit(0)
    supervisor._restart.advance()
    shared.failures.attach(worker.slot)
    shared.request_restart("it is broken")
    supervisor._on_failure(worker)
    _, renewed, substitute = supervisor._pool.workers
    renewed.state = WorkerState.READY
    supervisor._restart.on_ready(renewed)
    supervisor._on_exit(worker, EXIT_FAILED)
    supervisor._on_exit(substitute, 0)
    assert supervisor._pool.workers == [renewed]
    assert sent == [signal.SIGHUP]


def test_a_successor_that_can_not_start_yet_does_not_end_the_server(
    tmp_path: Path, shared: SharedState
):
    """A full device may have room again later."""
    starts = tmp_path / "starts"

    def serve(channel: ParentChannel) -> int:
        with starts.open("a") as file:
            file.write("start\n")
        count = len(starts.read_text().splitlines())
        if count == 2:
            return EXIT_MISCONFIGURED
        channel.notify_ready()
        if count == 3:
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(LIMIT_S)
        shared.request_restart("it is broken")
        return EXIT_FAILED

    assert exit_code_of_child(lambda: Supervisor(1, Hooks(serve), shared).run()) == 0
    assert len(starts.read_text().splitlines()) == 3

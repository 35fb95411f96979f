"""The spare worker: it has started, serves nothing, and takes the place of one that ends."""

import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.broken_device import X, break_device, check_good
from tests.support.client import LIMIT_S, Client, in_threads
from tests.support.fetch import fetch
from tests.support.process import Process, child_pids, exit_code_of_child, wait_until
from tests.support.servables import scripted
from torch_serving.server.ipc.shared_state import NO_SLOT, SharedState
from torch_serving.server.parent_channel import ParentChannel
from torch_serving.server.process import RETIRE_SIGNAL
from torch_serving.server.supervisor import EXIT_FAILED, EXIT_MISCONFIGURED, Hooks, Supervisor
from torch_serving.server.worker_pool import Worker, WorkerPool, WorkerState

SET_UPS = pytest.mark.parametrize("workers", [1, 2])


def start_server(
    start: Callable[..., Process], root: Path, workers: int = 1, *flags: str
) -> tuple[Process, str]:
    """Start a server, and wait for its spare."""
    count = ["--workers", str(workers)]
    process = start(root, "--port", "0", "--preload", "*.pt", "--spare", *count, *flags)
    url = process.url
    wait_for_spare(url)
    assert len(child_pids(process)) == workers + 1
    return process, url


def wait_for_spare(url: str) -> None:
    wait_until(lambda: 'torch_serving_threads{worker="spare"}' in metrics(url))


def metrics(url: str) -> str:
    return fetch(url, "/metrics")[2]


@SET_UPS
def test_it_takes_the_place_of_a_worker_whose_device_failed(
    breaking_root: Path, start: Callable[..., Process], workers: int
):
    process, url = start_server(start, breaking_root, workers, "--quarantine", "0")
    for _ in range(3):
        before = set(child_pids(process))
        break_device(url)
        in_threads(4, lambda _: check_good(url))
        wait_until(lambda before=before: len(set(child_pids(process)) - before) == 1)
        wait_until(lambda: len(child_pids(process)) == workers + 1)
        wait_for_spare(url)
    assert "died" not in process.stderr
    process.signal()
    assert process.exit_code() == 0


@SET_UPS
def test_it_takes_the_place_of_a_worker_that_dies(
    breaking_root: Path, start: Callable[..., Process], workers: int
):
    process, url = start_server(start, breaking_root, workers)
    os.kill(child_pids(process)[0], signal.SIGKILL)
    check_good(url)
    wait_until(lambda: "the spare takes its place" in process.stderr)
    wait_until(lambda: len(child_pids(process)) == workers + 1)


def test_it_is_no_serving_worker(breaking_root: Path, start: Callable[..., Process]):
    _, url = start_server(start, breaking_root)
    check_good(url)
    assert 'torch_serving_threads{worker="spare"} 0.0' in metrics(url)
    assert re.findall('torch_serving_threads{worker="([0-9]+)"}', metrics(url)) == ["0"]
    [echo] = [each for each in fetch(url, "/models")[2]["models"] if each["requests"]]
    assert [each["workers"] for each in echo["loaded"]] == [1]
    assert fetch(url, "/ready")[0] == 200


def test_a_spare_that_dies_is_replaced(breaking_root: Path, start: Callable[..., Process]):
    process, url = start_server(start, breaking_root)
    serving, spare = child_pids(process)
    os.kill(spare, signal.SIGKILL)
    wait_until(lambda: len(set(child_pids(process)) - {spare}) == 2)
    check_good(url)
    assert child_pids(process)[0] == serving
    wait_for_spare(url)
    break_device(url)
    check_good(url)


def test_it_tries_and_loads_models_once_it_serves(
    breaking_root: Path, start: Callable[..., Process]
):
    _, url = start_server(start, breaking_root)
    break_device(url)
    scripted("x: Tensor", "Tensor", "return x + 1").save(breaking_root / "new.pt")
    with Client(url) as client:
        assert client.post("new.pt", X).result["value"] == [2.0]


def test_the_guilty_model_is_quarantined(breaking_root: Path, start: Callable[..., Process]):
    process, url = start_server(start, breaking_root)
    for _ in range(2):
        break_device(url)
        wait_for_spare(url)
    with Client(url) as client:
        assert client.post("breaking.pt", X).document["description"] == "Model quarantined"
    check_good(url)
    assert process.stderr.count("has failed") == 2


@SET_UPS
def test_a_reload_replaces_it_too(breaking_root: Path, start: Callable[..., Process], workers: int):
    process, url = start_server(start, breaking_root, workers)
    done = threading.Event()

    def send_requests(index: int) -> None:
        if index == 0:
            try:
                for _ in range(2):
                    before = set(child_pids(process))
                    process.signal(signal.SIGHUP)
                    wait_until(lambda before=before: not before & set(child_pids(process)))
                    wait_until(lambda: len(child_pids(process)) == workers + 1)
                    wait_for_spare(url)
            finally:
                done.set()
        while not done.is_set():
            check_good(url)

    in_threads(3, send_requests)
    assert "ERROR" not in process.stderr
    process.signal()
    assert process.exit_code() == 0


def test_a_stop_does_not_wait_for_it(breaking_root: Path, start: Callable[..., Process]):
    process, _ = start_server(start, breaking_root, 1, "--drain-delay", str(LIMIT_S))
    serving, _ = child_pids(process)
    process.signal()
    wait_until(lambda: child_pids(process) == [serving])
    os.kill(serving, RETIRE_SIGNAL)  # it stops without the delay
    assert process.exit_code() == 0
    assert process.problems == ""


def test_meinheld_has_none(breaking_root: Path, start: Callable[..., Process]):
    process = start(breaking_root, "--port", "0", "--server", "meinheld", "--spare")
    assert process.exit_code() == 2
    assert "meinheld runs in one process; leave --spare out" in process.stderr


def test_a_message_promotes_it(tmp_path: Path, shared: SharedState):
    """It is started once the workers serve, and waits for its promotion."""
    starts = tmp_path / "starts"

    def serve(channel: ParentChannel) -> int:
        with starts.open("a") as file:
            file.write(f"{'spare' if channel.is_spare else 'worker'}\n")
        channel.notify_ready()
        if not channel.is_spare:
            wait_until(lambda: starts.read_text().splitlines() == ["worker", "spare"])
            shared.request_restart("it is broken")
            return EXIT_FAILED
        assert select.select([channel], [], [], LIMIT_S)[0]
        assert channel.promoted()
        wait_until(lambda: starts.read_text().splitlines() == ["worker", "spare", "spare"])
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(LIMIT_S)
        return 1

    run = Supervisor(1, Hooks(serve), shared, has_spare=True).run
    assert exit_code_of_child(run) == 0


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch, shared: SharedState) -> Supervisor:
    """One whose worker serves, and whose spare starts; no process is real."""

    def start_nothing(pool: WorkerPool, worker: Worker) -> None:
        worker.set_started(os.getpid(), None)  # type: ignore[arg-type]

    monkeypatch.setattr(WorkerPool, "start", start_nothing)
    supervisor = Supervisor(1, Hooks(lambda channel: 0), shared, has_spare=True)
    supervisor._pool.start_due()
    supervisor._pool.workers[0].state = WorkerState.READY
    supervisor._was_ready = True
    supervisor._succession.keep_spare()
    return supervisor


def test_there_is_one(supervisor: Supervisor):
    supervisor._succession.keep_spare()
    assert [each.is_spare for each in supervisor._pool.workers] == [False, True]


def test_one_that_can_not_start_delays_its_own_start_only(
    supervisor: Supervisor, shared: SharedState
):
    _, spare = supervisor._pool.workers
    assert shared.spare_slot() == spare.slot
    delays = []
    for code in (EXIT_MISCONFIGURED, 1, -signal.SIGKILL):
        delays.append(spare.backoff_s)
        supervisor._on_exit(spare, code)
        assert spare.state is WorkerState.WAITING
        spare.restart_s = 0
        supervisor._pool.start_due()
    assert delays == sorted(set(delays))
    assert not supervisor._signals.stops


def test_without_one_that_runs_a_new_worker_is_started(supervisor: Supervisor, shared: SharedState):
    worker, spare = supervisor._pool.workers
    supervisor._on_exit(spare, 1)
    shared.failures.attach(worker.slot)
    shared.request_restart("it is broken")
    supervisor._on_failure(worker)
    states = [(each.state, each.is_spare) for each in supervisor._pool.workers]
    assert states == [
        (WorkerState.FAILED, False),
        (WorkerState.WAITING, True),
        (WorkerState.STARTING, False),
    ]
    assert shared.spare_slot() == spare.slot != NO_SLOT

"""Several processes, and the one that watches them."""

import errno
import itertools
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import LIMIT_S, Client, in_threads, tensor
from tests.support.process import Process, child_pids, exit_code_of_child, is_alive, wait_until
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.parent_channel import READY, ParentChannel
from torch_serving.server.process import end_with_parent, exit_text
from torch_serving.server.supervisor import Hooks, Supervisor
from torch_serving.server.worker_pool import RESTART_BACKOFF_S, Worker, WorkerState


def send_request(url: str) -> None:
    with Client(url) as client:
        assert client.post("echo.pt", [tensor([1], [3])]).result == tensor([1], [3])


@pytest.fixture
def two_workers(model_root: Path, start: Callable[..., Process]) -> Process:
    return start(model_root, "--port", "0", "--workers", "2", "--preload", "echo.pt")


def test_workers_share_a_port(two_workers: Process):
    url = two_workers.url
    assert "2 workers with" in two_workers.stdout
    assert len(child_pids(two_workers)) == 2
    in_threads(8, lambda _: [send_request(url) for _ in range(20)])
    two_workers.signal()
    assert two_workers.exit_code() == 0
    assert two_workers.problems == ""


def test_a_worker_that_dies_is_started_again(two_workers: Process):
    url = two_workers.url
    before = child_pids(two_workers)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(child_pids(two_workers)) == 2 and child_pids(two_workers) != before)
    assert before[1] in child_pids(two_workers)
    in_threads(8, lambda _: send_request(url))
    assert "worker 0 died (signal SIGKILL)" in two_workers.stderr
    os.kill(before[1], signal.SIGSEGV)
    wait_until(lambda: not set(before) & set(child_pids(two_workers)))
    wait_until(lambda: len(child_pids(two_workers)) == 2)
    assert "worker 1 died (signal SIGSEGV)" in two_workers.stderr
    two_workers.signal()
    assert two_workers.exit_code() == 0


def test_workers_end_with_their_parent(two_workers: Process):
    url = two_workers.url
    send_request(url)
    workers = child_pids(two_workers)
    two_workers.signal(signal.SIGKILL)
    two_workers.exit_code()
    wait_until(lambda: not any(is_alive(pid) for pid in workers))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--workers", "0"], "--workers: expected at least 1"),
        (["--workers", "many"], "--workers: expected a whole number"),
        (["--threads", "100", "--intra-op-threads", "2"], "are more than the"),
        (["--workers", "2", "--server", "meinheld"], "meinheld runs in one process"),
        (["--device", "cuda:77"], "`cuda:77` is not a device of this machine"),
    ],
)
def test_what_can_not_be_had(
    model_root: Path, start: Callable[..., Process], flags: list[str], words: str
):
    process = start(model_root, "--port", "0", *flags)
    assert process.exit_code() == 2
    assert process.stderr.startswith("torch-serving: ")
    assert words in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_worker_that_can_not_start_ends_the_server():
    assert exit_code_of_child(lambda: Supervisor(2, Hooks(lambda channel: 2)).run()) == 2


def test_a_worker_that_dies_at_once_is_tried_more_slowly(tmp_path: Path):
    starts = tmp_path / "starts"

    def serve(channel: ParentChannel) -> int:
        with starts.open("a") as file:
            file.write(f"{time.monotonic()}\n")
        if len(starts.read_text().splitlines()) == 4:
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(LIMIT_S)
        return 1

    assert exit_code_of_child(lambda: Supervisor(1, Hooks(serve)).run()) == 0
    times = [float(line) for line in starts.read_text().splitlines()]
    delays = [after - before for before, after in itertools.pairwise(times)]
    planned = [RESTART_BACKOFF_S * factor for factor in (1, 2, 4)]
    assert all(delay >= least for delay, least in zip(delays, planned, strict=True))


def test_a_worker_that_raises_is_logged_and_started_again(tmp_path: Path):
    raised = tmp_path / "raised"

    def serve(channel: ParentChannel) -> int:
        if not raised.exists():
            raised.write_text("")
            raise RuntimeError("the first time")
        channel.notify_ready()
        time.sleep(LIMIT_S)
        return 0

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    assert exit_code_of_child(lambda: Supervisor(1, Hooks(serve, stop)).run()) == 0


@pytest.mark.parametrize(("ended_before", "code"), [(False, 0), (True, 1)])
def test_a_process_ends_with_its_parent(ended_before: bool, code: int):
    """The kernel says nothing of a parent that ended before it was asked."""
    parent = 0 if ended_before else os.getpid()
    assert exit_code_of_child(lambda: end_with_parent(parent) or 0) == code


def test_causes():
    assert [exit_text(code) for code in (0, 3, -9, -11, -99)] == [
        "exit code 0",
        "exit code 3",
        "signal SIGKILL",
        "signal SIGSEGV",
        "signal 99",
    ]


def receive(message: bytes, request: bytes) -> tuple[Worker, list[object]]:
    """What a supervisor receives from its worker: a message, and a request after that."""
    requests: list[object] = []
    supervisor = Supervisor(1, Hooks(lambda channel: 0), SharedState())
    supervisor._trials._start = lambda request, *_: requests.append(request)  # type: ignore[method-assign]
    worker = supervisor._pool.workers[0]
    worker.state = WorkerState.STARTING
    ours, theirs = socket.socketpair()
    with ours, theirs, open(os.devnull) as model:
        theirs.send(message)
        socket.send_fds(theirs, [request], [model.fileno(), model.fileno()])
        while select.select([ours], [], [], 0)[0]:
            supervisor._on_message(worker, ours)
    return worker, requests


def test_a_request_may_come_with_the_message_that_a_worker_is_ready():
    """The kernel joins them for a parent that is busy."""
    worker, requests = receive(READY, b'{"name": "a.pt"}')
    assert worker.state is WorkerState.READY
    assert requests == [{"name": "a.pt"}]


def test_a_process_that_can_not_be_started_to_try_a_reload(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fork(*functions: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("torch_serving.server.rolling_restart.fork", fork)
    supervisor = Supervisor(1, Hooks(lambda channel: 0), SharedState())
    supervisor._signals.on_hangup(signal.SIGHUP, None)
    supervisor._restart.advance()
    assert "not reloaded: no process can be started" in caplog.text
    assert not supervisor._restart._to_replace


def test_a_signal_while_a_worker_is_started_reaches_it():
    """Whichever thread takes it: others than the one that starts it don't put it off."""
    real_fork = os.fork

    def fork_and_stop() -> int:
        pid = real_fork()
        if pid:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)  # until the other thread has taken it
        return pid

    def supervise() -> int:
        threading.Thread(target=time.sleep, args=(LIMIT_S,), daemon=True).start()
        os.fork = fork_and_stop
        return Supervisor(1, Hooks(serve)).run()

    def serve(channel: ParentChannel) -> int:
        time.sleep(LIMIT_S)
        return 1

    assert exit_code_of_child(supervise) == 0

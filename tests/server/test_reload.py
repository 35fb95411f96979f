"""SIGHUP: what was read at the start is read again, and no request is lost."""

import gc
import os
import pty
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.support.client import Client, in_threads, tensor
from tests.support.process import Process, child_pids, wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving.config import Config
from torch_serving.errors import StartupError
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.main import PreforkState
from torch_serving.server.parent_channel import READY
from torch_serving.server.supervisor import Hooks, Supervisor
from torch_serving.server.worker_pool import Worker, WorkerState

X = [tensor([1], [1.0])]
OLD, NEW = "old-key-0123456789", "new-key-0123456789"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    scripted(*SOURCES["echo.pt"]).save(folder / "echo.pt")
    return folder


def reload(process: Process, workers: int = 1) -> None:
    """Send the signal, and wait for the last worker of the old ones to end."""
    before = now(process)
    process.signal(signal.SIGHUP)
    wait_until(lambda: len(now(process)) == workers and not before & now(process))


def now(process: Process) -> set[int]:
    return set(child_pids(process))


def send_some(url: str) -> int:
    """Send requests one after the other; return how many were answered.

    It sends on, on a new connection, if one is closed. A request that came late ends it.
    """
    count = 0
    with Client(url) as client:
        try:
            while count < 50:
                assert client.post("echo.pt", X).result == X[0]
                count += 1
        except OSError:
            if not client.was_late:
                raise
    return count


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_lost(root: Path, start: Callable[..., Process], workers: str):
    process = start(root, "--port", "0", "--workers", workers, "--preload", "echo.pt")
    url = process.url
    done = threading.Event()

    def send_requests(index: int) -> int:
        if index == 0:
            try:
                for _ in range(3):
                    reload(process, int(workers))
            finally:
                done.set()
            return 0
        count = 0
        while not done.is_set():
            count += send_some(url)
        return count

    counts = in_threads(5, send_requests)
    assert sum(counts) > 0
    process.signal()
    assert process.exit_code() == 0
    assert "ERROR" not in process.stderr


def status(url: str, key: str) -> int:
    with Client(url) as client:
        return client.post("echo.pt", X, {"X-Api-Key": key}).status


def test_keys_are_read_again(root: Path, start: Callable[..., Process], tmp_path: Path):
    keys = tmp_path / "keys"
    keys.write_text(f"{OLD}\n")
    process = start(root, "--port", "0", "--api-key-file", keys)
    url = process.url
    assert (status(url, OLD), status(url, NEW)) == (200, 401)
    keys.write_text(f"{NEW}\n")
    reload(process)
    assert (status(url, OLD), status(url, NEW)) == (401, 200)


def test_preloaded_models_and_settings_are_read_again(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--preload", "*.pt")
    url = process.url
    assert status(url, "") == 200
    scripted("x: Tensor", "Tensor", "return x + 1").save(root / "second.pt")
    (root / "echo.toml").write_text("device = 'warp'\n")
    process.signal(signal.SIGHUP)
    wait_until(lambda: "not reloaded: what is to be loaded can't be loaded" in process.stderr)
    assert "`echo.pt`: `warp` is not a device" in process.stderr
    assert status(url, "") == 200
    (root / "echo.toml").unlink()
    reload(process)
    with Client(url) as client:
        models = client._connection
        models.request("GET", "/models")
        with models.getresponse() as response:
            assert response.read().count(b'"state": "loaded"') == 2


def test_what_is_wrong_leaves_all_as_it_was(
    root: Path, start: Callable[..., Process], tmp_path: Path
):
    keys = tmp_path / "keys"
    keys.write_text(f"{OLD}\n")
    process = start(root, "--port", "0", "--api-key-file", keys)
    url = process.url
    before = now(process)
    keys.write_text("short\n")
    process.signal(signal.SIGHUP)
    wait_until(lambda: "not reloaded" in process.stderr)
    assert status(url, OLD) == 200
    assert before <= now(process)


def test_a_worker_that_does_not_run_is_replaced(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--shutdown-timeout", "0.2")
    assert process.url
    os.kill(child_pids(process)[0], signal.SIGSTOP)
    reload(process)
    assert "does not end: it is killed" in process.stderr
    assert status(process.url, "") == 200


def test_models_of_before_are_given_back(root: Path):
    with socket.socket() as listener:
        config = Config(model_root=root, workers=0, preload=("echo.pt",), threads=1)
        state = PreforkState(config, listener)
    [servable] = state.runtime.models.cache.values()
    before = weakref.ref(servable)
    del servable
    state.reload()
    assert before() is None
    assert len(state.runtime.models.cache.values()) == 1
    state.runtime.close()
    gc.unfreeze()


def test_a_worker_that_dies_meanwhile(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--workers", "2")
    url = process.url
    os.kill(child_pids(process)[1], signal.SIGKILL)
    reload(process, 2)
    assert status(url, "") == 200
    process.signal()
    assert process.exit_code() == 0


def test_a_terminal_that_is_closed_stops_the_server(root: Path, tmp_path: Path):
    out = tmp_path / "out"
    pid, terminal = pty.fork()
    if pid == 0:
        with out.open("wb") as file:
            os.dup2(file.fileno(), 1)
        os.execv(sys.executable, [sys.executable, "-m", "torch_serving", str(root), "--port", "0"])
    wait_until(lambda: out.exists() and " on http://" in out.read_text())
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.fixture
def while_tried(root: Path, start: Callable[..., Process], tmp_path: Path) -> Process:
    """A server that tries a reload which never ends: it reads keys from a FIFO."""
    keys = tmp_path / "keys"
    keys.write_text(f"{OLD}\n")
    process = start(root, "--port", "0", "--preload", "echo.pt", "--api-key-file", keys)
    assert status(process.url, OLD) == 200
    keys.unlink()
    os.mkfifo(keys)
    process.signal(signal.SIGHUP)
    wait_until(lambda: len(child_pids(process)) == 2)
    return process


def test_a_stop_while_a_reload_is_tried(while_tried: Process):
    while_tried.signal()
    assert while_tried.exit_code() == 0
    assert "Traceback" not in while_tried.stderr


def test_a_worker_that_dies_while_a_reload_is_tried(while_tried: Process):
    os.kill(child_pids(while_tried)[0], signal.SIGKILL)
    wait_until(lambda: "worker 0 died" in while_tried.stderr)
    assert status(while_tried.url, OLD) == 200
    while_tried.signal()
    assert while_tried.exit_code() == 0


def test_a_reload_that_fails_after_it_was_tried(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with socket.socket() as listener:
        config = Config(model_root=root, workers=0, threads=1, intra_op_threads=1)
        state = PreforkState(config, listener)
    hooks = Hooks(lambda channel: 0, reload=state.reload)
    supervisor = Supervisor(0, hooks, state.shared)

    def fail(*arguments: object, **others: object) -> None:
        raise StartupError("it is gone")

    monkeypatch.setattr("torch_serving.service.runtime.Runtime.preload", fail)
    before = state.runtime
    supervisor._restart.on_trial_exit(0)
    assert "not reloaded: it is gone" in caplog.text
    assert state.runtime is before
    assert before.models.load("echo.pt", torch.device("cpu")).result().identifier == "echo.pt"
    before.close()


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor whose one worker has a successor that is starting; no process is real."""
    monkeypatch.setattr("torch_serving.server.worker_pool.send_signal", lambda *_: None)
    monkeypatch.setattr(
        "torch_serving.server.worker_pool.WorkerPool.start",
        lambda pool, worker: worker.set_started(os.getpid(), None),
    )
    shared = SharedState(1)
    supervisor = Supervisor(1, Hooks(lambda channel: 0), shared)
    supervisor._pool.start_due()
    supervisor._restart.on_trial_exit(0)
    supervisor._restart.advance()
    yield supervisor
    for mailbox in (*shared.peers._inboxes, *shared.peers._outboxes):
        mailbox.close()


def set_ready(supervisor: Supervisor, worker: Worker) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(READY)
        supervisor._on_message(worker, ours)


def test_a_worker_that_starts_while_its_successor_is_ready_retires(restart: Supervisor):
    worker, successor = restart._pool.workers
    set_ready(restart, successor)
    set_ready(restart, worker)
    assert [each.state for each in (worker, successor)] == [
        WorkerState.RETIRING,
        WorkerState.READY,
    ]
    restart._on_exit(worker, 0)
    assert restart._pool.workers == [successor]


def test_a_successor_that_dies_after_it_was_ready_starts_again(restart: Supervisor):
    """Whether or not its predecessor has ended: it is a worker as all others."""
    worker, successor = restart._pool.workers
    set_ready(restart, successor)
    for _ in range(2):
        restart._on_exit(successor, -signal.SIGKILL)
        successor.restart_s = 0
        restart._pool.start_due()
    restart._on_exit(worker, 0)
    assert restart._pool.workers == [successor]
    assert successor.state is WorkerState.STARTING


def test_a_successor_that_never_gets_ready_changes_nothing(
    restart: Supervisor, caplog: pytest.LogCaptureFixture
):
    worker, successor = restart._pool.workers
    restart._on_exit(successor, 1)
    assert "not reloaded: a new worker ended (exit code 1)" in caplog.text
    assert restart._pool.workers == [worker]
    restart._restart.advance()
    assert restart._pool.workers == [worker]

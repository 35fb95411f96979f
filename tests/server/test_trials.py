"""Files that crash whatever loads them cost a refusal, not a worker."""

import json
import math
import os
import shutil
import signal
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import (
    LIMIT_S,
    Client,
    RawConnection,
    Response,
    in_threads,
    tensor,
    with_length,
)
from tests.support.process import Process, child_pids, wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving.server import trial_loads
from torch_serving.server.parent_channel import ACCEPTED, Request
from torch_serving.server.trial_loads import TrialLoads

X = [tensor([1], [1.0])]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("echo.pt", "crashing.pt"):
        scripted(*SOURCES[name]).save(folder / name)
    save_deep(folder / "deep.pt")
    return folder


def save_deep(path: Path) -> None:
    """A sound archive whose code is nested too deeply for torch's parser, which overflows the
    stack."""
    scripted("x: Tensor", "Tensor", "return torch.add(x, 1)").save(path.with_suffix(".plain"))
    with zipfile.ZipFile(path.with_suffix(".plain")) as plain, zipfile.ZipFile(path, "w") as deep:
        for entry in plain.infolist():
            data = plain.read(entry)
            if entry.filename.endswith(".py"):
                sum_ = b"torch.add(x, 1)"
                assert sum_ in data
                data = data.replace(sum_, b"(" * 300_000 + sum_ + b")" * 300_000)
            deep.writestr(entry, data)


def post(url: str, identifier: str) -> Response:
    with Client(url) as client:
        return client.post(identifier, X)


def refused(response: Response) -> bool:
    crashed = "a process that loaded it crashed" in response.document.get("detail", "")
    return (response.status, crashed) == (400, True)


def test_a_file_that_crashes_the_loader(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0")
    url = process.url
    workers = child_pids(process)
    assert in_threads(8, lambda _: refused(post(url, "deep.pt"))) == [True] * 8
    assert post(url, "echo.pt").result == X[0]
    wait_until(lambda: "loading deep.pt ended its process (signal SIGSEGV)" in process.stderr)
    tries = process.stderr.count("ended its process")
    assert refused(post(url, "deep.pt"))
    assert process.stderr.count("ended its process") == tries  # remembered
    shutil.copy(root / "echo.pt", root / "new")
    os.replace(root / "new", root / "deep.pt")
    assert post(url, "deep.pt").result == X[0]
    assert workers[0] in child_pids(process)


def test_a_warm_up_request_that_crashes(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0")
    url = process.url
    workers = child_pids(process)
    settings = root / "crashing.toml"
    settings.write_text("warmup = [{ x = [1.0] }]\n")
    assert refused(post(url, "crashing.pt"))
    assert workers[0] in child_pids(process)
    settings.write_text("# without it, nobody can know\n")
    with pytest.raises(OSError):  # noqa: PT011
        post(url, "crashing.pt")
    wait_until(lambda: "running crashing.pt" in process.stderr)


def test_without_trials(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--no-trial-load")
    url = process.url
    assert post(url, "echo.pt").result == X[0]
    with pytest.raises(OSError):  # noqa: PT011
        post(url, "deep.pt")
    wait_until(lambda: "worker 0 died (signal SIGSEGV)" in process.stderr)


def test_a_load_in_progress_ends_before_the_server_does(root: Path, start: Callable[..., Process]):
    os.mkfifo(root / "pipe")
    slow = root / "slow.pt"
    shutil.copy(root / "echo.pt", slow)
    process = start(root, "--port", "0")
    url = process.url
    with RawConnection(url) as connection:
        body = b'[{"type":"tensor","shape":[1],"value":[1.0]}]'
        connection.send(with_length(body, "/serve?servable_identifier=slow.pt"))
        process.signal()
        response = connection.response()
    assert response is None or response.result == X[0]
    assert process.exit_code() == 0


def trials_of(
    try_load: Callable[[Request, int], None] = lambda *_: None, load_timeout_s: float = math.inf
) -> TrialLoads:
    return TrialLoads(try_load, lambda: None, load_timeout_s=load_timeout_s)


def result_of(trials: TrialLoads, key: str) -> bytes:
    """What a worker receives."""
    replies, theirs = os.pipe()
    start_trial(trials, key, theirs)
    assert os.read(replies, 1) == ACCEPTED
    received = os.read(replies, 1)
    os.close(replies)
    while trials._running:
        trials.reap()
    return received


def start_trial(trials: TrialLoads, key: str, replies: int) -> None:
    request = json.dumps({"name": key, "key": [key]}).encode()
    trials.start(request, [os.open(os.devnull, os.O_RDONLY), replies])


@pytest.fixture
def count(tmp_path: Path) -> Callable[[], int]:
    return lambda: len(list(tmp_path.iterdir()))


def test_what_is_remembered(tmp_path: Path, count: Callable[[], int]):
    def try_load(request: Request, model: int) -> None:
        (tmp_path / str(os.getpid())).touch()
        if request["name"].startswith("raises"):
            raise RuntimeError("the worker meets it too")
        if request["name"].startswith("signal"):
            os.kill(os.getpid(), int(request["name"].split()[1]))

    trials = trials_of(try_load)
    assert [result_of(trials, "good") for _ in range(3)] == [b"+"] * 3
    assert count() == 1
    assert [result_of(trials, "raises") for _ in range(3)] == [b"+"] * 3
    assert count() == 2
    assert [result_of(trials, f"signal {signal.SIGSYS}") for _ in range(3)] == [b"", b"-", b"-"]
    assert count() == 3
    # somebody ended it: that says nothing about the file
    assert [result_of(trials, f"signal {signal.SIGKILL}") for _ in range(3)] == [b""] * 3
    assert count() == 6


@pytest.mark.parametrize(("code", "expected"), [(0, b"+"), (1, b"-")])
def test_a_file_is_tried_once_while_its_process_lives(
    tmp_path: Path, count: Callable[[], int], code: int, expected: bytes
):
    """Its pipe may be closed, as that of one that is ending, before the parent can reap it."""
    waits, goes_on = os.pipe()

    def try_load(request: Request, model: int) -> None:
        (tmp_path / str(os.getpid())).touch()
        os.close(theirs)
        os.read(waits, 1)
        os._exit(code)

    trials = trials_of(try_load)
    replies, theirs = os.pipe()
    start_trial(trials, "m", theirs)
    assert os.read(replies, 2) + os.read(replies, 1) == ACCEPTED
    pipes = [os.pipe() for _ in range(2)]
    for _, joining in pipes:
        start_trial(trials, "m", joining)
    os.write(goes_on, b"!")
    while trials._running:
        trials.reap()
    assert [os.read(joined, 9) + os.read(joined, 1) for joined, _ in pipes] == [
        ACCEPTED + expected
    ] * 2
    assert count() == 1
    for pipe in (replies, waits, goes_on, *(joined for joined, _ in pipes)):
        os.close(pipe)


def test_no_card_is_there_for_a_trial(tmp_path: Path):
    """It takes a second to open one, and the processes that serve need its memory."""

    def try_load(request: Request, model: int) -> None:
        (tmp_path / "devices").write_text(repr(os.environ.get("CUDA_VISIBLE_DEVICES")))

    assert result_of(trials_of(try_load), "m") == b"+"
    assert (tmp_path / "devices").read_text() == "''"


def test_a_worker_that_died_after_its_request(tmp_path: Path):
    trials = trials_of()
    for _ in range(2):  # what is tried, and what is known
        replies, theirs = os.pipe()
        os.close(replies)
        start_trial(trials, "m", theirs)
        while trials._running:
            trials.reap()
    assert result_of(trials, "another") == b"+"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial_loads, "MAX_OUTCOMES", 5)
    trials = trials_of()
    for key in range(20):
        result_of(trials, str(key))
    assert len(trials._is_loadable) == 5


def test_what_does_not_end_is_ended():
    trials = trials_of(lambda *_: threading.Event().wait(LIMIT_S) and None, load_timeout_s=0.1)
    assert result_of(trials, "slow") == b""

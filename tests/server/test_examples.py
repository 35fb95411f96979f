"""Examples are looked for in a process of its own: whatever happens there, the model serves on."""

import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.client import LIMIT_S, Client, in_threads, tensor
from tests.support.process import Process, child_pids, wait_until
from tests.support.servables import SOURCES, scripted
from torch_serving.server import parent_channel, trial_loads
from torch_serving.server.parent_channel import ParentChannel, Request, read_for, receive
from torch_serving.server.trial_loads import TrialLoads

ENDLESS = (
    "y = x\n    while bool(y.sum() == 0):\n        y = y * 1\n    return y"  # if it gets zeros
)
X = [tensor([1], [1.0])]


class Counting(torch.nn.Module):
    """Counts its runs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("runs", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return self.runs + 0 * x.sum()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    scripted(*SOURCES["crashing.pt"]).save(folder / "crashing.pt")
    scripted("x: Tensor", "Tensor", ENDLESS).save(folder / "endless.pt")
    torch.jit.script(Counting()).save(folder / "counting.pt")
    return folder


def described(url: str, identifier: str) -> dict[str, Any]:
    """The description of `forward`, by a server that says that the model is well."""
    with urllib.request.urlopen(f"{url}/models/{identifier}", timeout=LIMIT_S) as response:
        document = json.loads(response.read())
    assert document["state"] == "loaded"
    method: dict[str, Any] = document["methods"]["forward"]
    return method


@pytest.mark.parametrize("flags", [[], ["--no-trial-load"]])
def test_a_model_that_crashes_is_described(
    root: Path, start: Callable[..., Process], flags: list[str]
):
    process = start(root, "--port", "0", *flags)
    url = process.url
    workers = child_pids(process)
    for _ in range(2):
        assert described(url, "crashing.pt")["example"] == {"x": "…"}
    assert set(workers) <= set(child_pids(process))
    message = "looking for a request to crashing.pt ended its process (signal"
    wait_until(lambda: message in process.stderr)
    assert process.stderr.count("looking for") == 1  # once, for all descriptions


def test_a_model_that_never_ends_is_described(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0")
    url = process.url
    workers = child_pids(process)
    found = in_threads(4, lambda _: described(url, "endless.pt"))
    assert [each["example"] for each in found] == [{"x": "…"}] * 4
    with Client(url) as client:
        assert client.post("endless.pt", X).result == X[0]
    wait_until(lambda: child_pids(process) == workers)  # nothing runs on
    process.signal()
    assert process.exit_code() == 0


def test_descriptions_do_not_run_the_model_that_serves(root: Path, start: Callable[..., Process]):
    url = start(root, "--port", "0").url
    assert described(url, "counting.pt")["example"] == {"x": tensor([1], [0])}
    with Client(url) as client:
        assert client.post("counting.pt", X).result == tensor([1], [1.0])


def test_a_warm_up_request_is_the_example(root: Path, start: Callable[..., Process]):
    """Nothing is tried: this model would never end with what is tried."""
    (root / "endless.toml").write_text("warmup = [{ x = [[1.0, 2.0]] }]\n")
    process = start(root, "--port", "0")
    method = described(process.url, "endless.pt")
    assert (method["example"], "note" in method) == ({"x": [[1.0, 2.0]]}, False)
    assert "looking for" not in process.stderr


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_descriptions_do_not_touch_a_card(root: Path, start: Callable[..., Process]):
    """Whatever is tried with this model breaks a card for its process."""
    scripted("x: Tensor", "Tensor", "return x[x.long() + 99]").save(root / "index.pt")
    process = start(root, "--port", "0", "--device", "cuda")
    url = process.url
    workers = child_pids(process)
    assert described(url, "index.pt")["example"] == {"x": "…"}
    assert described(url, "counting.pt")["example"] == {"x": tensor([1], [0])}
    with Client(url) as client:
        assert client.post("counting.pt", X).result == tensor([1], [1.0])
    assert set(workers) <= set(child_pids(process))


# A worker's end of the channel, and its parent's.


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def answered(
    sockets: tuple[socket.socket, socket.socket],
    find_examples: Callable[[Request, int], Iterator[bytes]],
) -> list[bytes]:
    """What a worker reads if `find_examples` is called in a process of its own."""
    ours, theirs = sockets
    trials = TrialLoads(lambda *_: None, lambda: None, find_examples)
    with open(os.devnull) as model, ThreadPoolExecutor(1) as worker:
        request = {"name": "m.pt", "examples_of": ["forward"]}
        reading = worker.submit(ParentChannel(ours).find_examples, request, model.fileno())
        message = receive(theirs)
        assert message is not None
        trials.start(message.request, message.descriptors)
        lines = reading.result(LIMIT_S)
        while trials._running:
            trials.reap()
    return lines


def test_what_is_found_before_a_crash(sockets: tuple[socket.socket, socket.socket]):
    def find(request: Request, model: int) -> Iterator[bytes]:
        yield f"{request['examples_of'][0]}\n".encode()
        yield b"x" * (MAX // 2) + b"\n"
        os.kill(os.getpid(), signal.SIGSYS)

    assert [len(line) for line in answered(sockets, find)] == [8, MAX // 2 + 1]


MAX = parent_channel.MAX_REPLY


def test_a_search_that_raises_gives_nothing(sockets: tuple[socket.socket, socket.socket]):
    def find(request: Request, model: int) -> Iterator[bytes]:
        raise MemoryError

    assert answered(sockets, find) == []


def test_a_search_that_does_not_end_is_ended(
    sockets: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
):
    def find(request: Request, model: int) -> Iterator[bytes]:
        yield b"one\n"
        threading.Event().wait(LIMIT_S)

    monkeypatch.setattr(trial_loads, "EXAMPLES_LIMIT_S", 1)
    assert answered(sockets, find) == [b"one\n"]


def test_replies_are_bounded(sockets: tuple[socket.socket, socket.socket]):
    def find(request: Request, model: int) -> Iterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    assert MAX <= sum(map(len, answered(sockets, find))) + 1 < MAX + (1 << 20)


def test_no_process_is_started_for_who_waits_no_more():
    replies, theirs = os.pipe()
    os.close(replies)
    trials = TrialLoads(lambda *_: None, lambda: None)
    request = json.dumps({"name": "m.pt", "examples_of": []}).encode()
    trials.start(request, [os.open(os.devnull, os.O_RDONLY), theirs])
    assert trials._running == {}


def test_a_parent_that_is_busy_is_not_waited_for():
    replies, theirs = os.pipe()
    os.write(theirs, b".")
    with pytest.raises(TimeoutError):
        read_for(0.01, replies)
    os.close(replies)
    os.close(theirs)

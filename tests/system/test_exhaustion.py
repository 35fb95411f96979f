"""No file descriptors, no memory, no disk: reported to the one request, attributed to no model.

`python -m tests.chaos --only "no "` does the same to running servers.
"""

import errno
import gc
import json
import os
import signal
import socket
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import falcon
import pytest
import torch

from tests.support.client import LIMIT_S
from tests.support.process import exit_code_of_child
from tests.support.servables import mlp
from torch_serving.engine.devices import DevicePool
from torch_serving.engine.engine import Engine
from torch_serving.errors import InvalidServable, OutOfMemory, Overloaded, ServingError
from torch_serving.http.error_responses import to_serving_error
from torch_serving.http.falcon_errors import translate
from torch_serving.model_config import ModelConfig
from torch_serving.models._cache import Cache
from torch_serving.models.integrity import expected_digest
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.loader import load
from torch_serving.models.repository import ModelRepository
from torch_serving.models.settings import read_model_config
from torch_serving.server.parent_channel import ParentChannel, receive
from torch_serving.server.supervisor import Hooks, Supervisor
from torch_serving.server.trial_loads import TrialLoads

CPU = torch.device("cpu")
BODY = b'[{"type":"tensor","shape":[1,16],"value":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}]'
CASES = [
    (errno.EMFILE, Overloaded),
    (errno.ENFILE, Overloaded),
    (errno.EAGAIN, Overloaded),
    (errno.ENOMEM, OutOfMemory),
    (errno.EIO, InvalidServable),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    mlp().save(tmp_path / "m.pt")
    return tmp_path / "m.pt"


def failing(number: int) -> Any:
    def fail(*arguments: object, **others: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(("number", "expected"), CASES)
def test_files_that_can_not_be_opened(
    model: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[ServingError]
):
    monkeypatch.setattr(os, "open", failing(number))
    with pytest.raises(expected) as caught:
        load(model, CPU)
    assert str(model.parent) not in caught.value.detail


@pytest.mark.parametrize(("number", "expected"), CASES)
def test_files_beside_a_model_that_can_not_be_read(
    model: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[ServingError]
):
    monkeypatch.setattr(os, "open", failing(number))
    with pytest.raises(expected):
        read_model_config(model, ModelConfig())
    with pytest.raises(expected):
        expected_digest(model.parent, "m.pt")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), OutOfMemory),
        (MemoryError(), OutOfMemory),
        (RuntimeError("open file failed because of errno 24: Too many open files"), Overloaded),
        (RuntimeError("version 99"), InvalidServable),
    ],
)
def test_a_model_that_can_not_be_loaded_now(
    model: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[ServingError]
):
    def fail(*arguments: object, **others: object) -> NoReturn:
        raise error

    monkeypatch.setattr(torch.jit, "load", fail)
    with pytest.raises(expected):
        load(model, CPU)


def test_a_model_that_can_not_be_tried_now_is_no_bad_one(
    model: Path, monkeypatch: pytest.MonkeyPatch
):
    """The parent has no process left to load it in."""
    ours, theirs = socket.socketpair()
    channel = ParentChannel(ours)
    trials = TrialLoads(lambda *_: None, lambda: None)

    def response() -> None:
        message = receive(theirs)
        assert message is not None
        trials.start(message.request, message.descriptors)

    monkeypatch.setattr(os, "fork", failing(errno.EAGAIN))
    with ours, theirs, ThreadPoolExecutor(1) as parent:
        responding = parent.submit(response)
        request = {"name": "m.pt", "key": []}
        with pytest.raises(Overloaded, match="can't start a process"):
            load(model, CPU, try_load=lambda file: channel.try_load(request, file.descriptor))
        responding.result(LIMIT_S)


def test_a_model_that_the_parent_can_not_take_is_no_bad_one(model: Path):
    """The parent has no descriptors left for those that were sent to it."""
    ours, theirs = socket.socketpair()
    channel = ParentChannel(ours)
    with ours, theirs, ThreadPoolExecutor(1) as parent:
        taking = parent.submit(theirs.recv, 4096)
        request = {"name": "m.pt", "key": []}
        with pytest.raises(Overloaded, match="can't start a process"):
            load(model, CPU, try_load=lambda file: channel.try_load(request, file.descriptor))
        assert json.loads(taking.result(LIMIT_S)) == request


def test_a_loaded_model_needs_no_file(model: Path, monkeypatch: pytest.MonkeyPatch):
    models = ModelLifecycle(ModelRepository(model.parent), Cache(1))
    devices = DevicePool("cpu")
    loaded = models.load("m.pt", CPU).result(LIMIT_S)
    monkeypatch.setattr(Path, "read_bytes", failing(errno.EMFILE))
    assert models.get("m.pt", models.repository.placement.choose("m.pt", devices)) is loaded
    models.close()


def test_an_evicted_model_is_freed_at_once(model: Path):
    """Not at the next run of the garbage collector, which may be far away."""
    gc.disable()
    try:
        servable = load(model, CPU)
        method = servable.method("forward")
        Engine(1).run(method, BODY)
        module = weakref.ref(servable.program)
        del servable, method
        assert module() is None
    finally:
        gc.enable()


def test_memory_errors_are_reported_as_such():
    assert isinstance(to_serving_error(MemoryError()), OutOfMemory)
    assert to_serving_error(translate(falcon.HTTPNotFound(), "/nothing")).status == 404


def test_a_worker_that_can_not_be_forked_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    starts = tmp_path / "starts"
    fork, failures = os.fork, [errno.EAGAIN, errno.EMFILE]

    def fork_later() -> int:
        if starts.exists() and failures:
            raise OSError(failures[0], os.strerror(failures.pop()))
        return fork()

    def serve(channel: ParentChannel) -> int:
        with starts.open("a") as file:
            file.write("!")
        if len(starts.read_text()) == 2:
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(LIMIT_S)
        return 1

    def supervise() -> int:
        monkeypatch.setattr(os, "fork", fork_later)
        code = Supervisor(1, Hooks(serve)).run()
        return code if not failures else 99

    assert exit_code_of_child(supervise) == 0
    assert starts.read_text() == "!!"

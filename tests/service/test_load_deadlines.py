"""A deadline holds while a model is loaded, whatever the door; the load goes on."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import torch

from tests.support.client import LIMIT_S, tensor
from tests.support.process import wait_until
from torch_serving.config import Config
from torch_serving.engine.deadline import Deadline
from torch_serving.errors import DeadlineExceeded
from torch_serving.http import app, wsgi
from torch_serving.models.load_queue import REPLACING_S
from torch_serving.models.placement import CPU
from torch_serving.service import servables
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime
from torch_serving.service.servables import Servables
from torch_serving.telemetry.responses import ResponseRecorder

BODY = json.dumps([tensor([1], [2.0])]).encode()
V2_BODY = json.dumps(
    {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [2.0]}]}
).encode()
SOON = {"x-request-timeout-ms": "1"}

Ask = Callable[[Runtime, dict[str, str]], int]  # returns the status


def asgi(method: str, path: str, body: bytes = b"", **headers: str) -> Ask:
    def ask(runtime: Runtime, more: dict[str, str]) -> int:
        client = falcon.testing.TestClient(app.create_app(runtime))
        target, _, query = path.partition("?")
        response = client.simulate_request(
            method, target, query_string=query, body=body, headers={**headers, **more}
        )
        status: int = response.status_code
        return status

    return ask


def ask_wsgi(runtime: Runtime, _: dict[str, str]) -> int:
    responses = ResponseRecorder(runtime.group.statistics)
    client = falcon.testing.TestClient(wsgi.create_app(runtime, responses))
    query = "servable_identifier=echo.pt"
    status: int = client.simulate_post("/serve", query_string=query, body=BODY).status_code
    return status


def ask_in_python(runtime: Runtime, headers: dict[str, str]) -> int:
    timeout_s = 0.001 if headers else None
    try:
        assert runtime.infer("echo.pt", {"x": torch.tensor([2.0])}, timeout_s=timeout_s) == 2
    except DeadlineExceeded as error:
        return error.status
    return 200


SERVE = "/serve?servable_identifier=echo.pt"
INFERENCE = {
    "serve": asgi("POST", SERVE, BODY),
    "V2": asgi("POST", "/v2/models/echo.pt/infer", V2_BODY),
    "Python": ask_in_python,
}
WITH_HEADER = INFERENCE | {
    "V2 metadata": asgi("GET", "/v2/models/echo.pt"),
    "description": asgi("GET", "/models/echo.pt"),
}
LOADING = {
    "load": asgi("POST", "/models/echo.pt/load"),
    "V2 load": asgi("POST", "/v2/repository/models/echo.pt/load"),
}
WITH_LIMIT = WITH_HEADER | {
    "wsgi": ask_wsgi,
}


@pytest.fixture
def end() -> Iterator[threading.Event]:
    """Set when loads may go on."""
    end = threading.Event()
    yield end
    end.set()


@pytest.fixture
def runtime(model_root: Path, end: threading.Event) -> Iterator[Runtime]:
    with loading_at_the_end(model_root, end) as runtime:
        yield runtime


@contextmanager
def loading_at_the_end(root: Path, end: threading.Event) -> Iterator[Runtime]:
    runtime = Runtime.build(Config(model_root=root, threads=1))
    load: Any = runtime.models._load

    def load_at_the_end(*arguments: Any) -> Any:
        assert end.wait(LIMIT_S)
        return load(*arguments)

    runtime.models._load = load_at_the_end
    with runtime:
        yield runtime


def check_loaded(runtime: Runtime, end: threading.Event, ask: Ask) -> None:
    end.set()
    wait_until(lambda: len(runtime.models.cache.values()) == 1)
    assert ask(runtime, {}) == 200


@pytest.mark.parametrize("door", [*WITH_HEADER, *LOADING])
def test_the_deadline_of_a_client(runtime: Runtime, end: threading.Event, door: str):
    ask = (WITH_HEADER | LOADING)[door]
    assert ask(runtime, SOON) == 504
    check_loaded(runtime, end, ask)


@pytest.mark.parametrize("door", [*INFERENCE, "wsgi"])
def test_the_older_model_serves_while_a_newer_one_is_loaded(
    model_root: Path,
    tmp_path: Path,
    end: threading.Event,
    door: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(servables, "REPLACING_S", 0.1)
    shutil.copy(model_root / "echo.pt", tmp_path)
    ask = WITH_LIMIT[door]
    with loading_at_the_end(tmp_path, end) as runtime:
        end.set()
        assert ask(runtime, {}) == 200
        end.clear()
        os.utime(tmp_path / "echo.pt")
        loads = runtime.models.cache.stats().loads
        assert ask(runtime, {}) == 200
        assert runtime.models.cache.stats().loads == loads
        end.set()
        wait_until(lambda: runtime.models.cache.stats().loads == loads + 1)


@pytest.mark.parametrize(("timeout_s", "patience_s"), [(10.0, 5.0), (1000.0, REPLACING_S)])
def test_half_of_the_time_is_left_for_the_older_model(
    model_root: Path, timeout_s: float, patience_s: float
):
    with Runtime.build(Config(model_root=model_root, threads=1)) as runtime:
        found = Servables(runtime.models, runtime.devices)
        request = InferenceRequest("echo.pt")
        assert found._patience_s(request, CPU, Deadline(timeout_s)) > patience_s
        runtime.models.preload("echo.pt", CPU)
        assert 0 < found._patience_s(request, CPU, Deadline(timeout_s)) <= patience_s


@pytest.mark.parametrize("door", WITH_LIMIT)
def test_the_limit_for_all_requests(
    runtime: Runtime, end: threading.Event, door: str, monkeypatch: pytest.MonkeyPatch
):
    ask = WITH_LIMIT[door]
    with monkeypatch.context() as patch:
        patch.setattr(runtime.engine, "request_timeout_s", 0.001)
        patch.setattr(runtime.description, "_limit_s", 0.001)
        assert ask(runtime, {}) == 504
    check_loaded(runtime, end, ask)

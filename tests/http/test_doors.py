"""One request whatever the door: fast path, ASGI and WSGI applications count and fail alike."""

import io
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import falcon.testing
import pytest
import torch

from tests.support.client import LIMIT_S, Client, tensor
from tests.support.described import Several
from tests.support.process import Process
from torch_serving.config import Config
from torch_serving.http import app, wsgi
from torch_serving.http.auth import ApiKeys
from torch_serving.service.runtime import Runtime
from torch_serving.telemetry.access_log import AccessLog
from torch_serving.telemetry.responses import ResponseRecorder

BODY = json.dumps([tensor([2], [1, 2])]).encode()
ECHO = "servable_identifier=echo.pt"
KEY = "0123456789abcdef"


@pytest.fixture
def runtime(model_root: Path) -> Iterator[Runtime]:
    with Runtime.build(Config(model_root=model_root, threads=1)) as runtime:
        yield runtime


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def wsgi_client(runtime: Runtime, log: io.StringIO) -> falcon.testing.TestClient:
    responses = ResponseRecorder(runtime.group.statistics, AccessLog(log))
    return falcon.testing.TestClient(wsgi.create_app(runtime, responses))


def test_the_synchronous_application_names_its_own_routes(wsgi_client: falcon.testing.TestClient):
    for path in ("/ping", "/models", "/v2/models/echo.pt"):
        response = wsgi_client.simulate_get(path)
        assert response.status_code == 404
        assert wsgi.ROUTES in response.text


def test_responses_of_the_synchronous_application_are_counted(
    runtime: Runtime, wsgi_client: falcon.testing.TestClient, log: io.StringIO
):
    for query, status in ((ECHO, 200), (ECHO, 200), (f"{ECHO}&method=x", 400), ("", 400)):
        response = wsgi_client.simulate_post("/serve", query_string=query, body=BODY)
        assert response.status_code == status
    assert wsgi_client.simulate_post("/serve", query_string=ECHO, body=b"[").status_code == 400
    assert wsgi_client.simulate_get("/healthcheck").status_code == 200
    counted = runtime.group.statistics.methods()
    assert counted["echo.pt", "forward"].codes == {200: 2, 400: 1}
    assert counted["echo.pt", "forward"].cold_starts == 1
    assert counted["", ""].codes == {400: 2}
    assert len(log.getvalue().splitlines()) == 6


HEADS = [
    ("", {}),
    ("servable_identifier=echo.pt&servable_identifier=echo.pt", {}),
    (f"{ECHO}&device=tpu", {"content-type": "application/x-npy"}),
    (f"{ECHO}&device=cpu&device=cpu", {}),
    (f"{ECHO}&invalidation_probability=2&device=tpu", {}),
    ("servable_identifier=nowhere.pt&device=tpu", {}),
    ("servable_identifier=nowhere.pt", {"content-encoding": "br"}),
    ("servable_identifier=nowhere.pt&method=none", {}),
    ("servable_identifier=nowhere.pt", {"x-request-timeout-ms": "soon"}),
    (f"{ECHO}&method=none", {}),
    (ECHO, {"content-type": "application/x-npy"}),
]


@pytest.mark.parametrize(("query", "headers"), HEADS)
def test_all_doors_check_in_one_order(
    runtime: Runtime, wsgi_client: falcon.testing.TestClient, query: str, headers: dict[str, str]
):
    asgi_client = falcon.testing.TestClient(app.create_app(runtime))
    responses = [
        client.simulate_post("/serve", query_string=query, headers=headers, body=BODY)
        for client in (asgi_client, wsgi_client)
    ]
    first, second = [(each.status_code, each.json) for each in responses]
    assert first == second
    assert first[0] >= 400


@pytest.mark.parametrize("target", ["/serve?servable_identifier=%s", "/v2/models/%s/infer"])
def test_a_wrong_deadline_is_found_after_the_body_and_the_model(runtime: Runtime, target: str):
    client = falcon.testing.TestClient(app.create_app(runtime))
    wrong = {"x-request-timeout-ms": "soon"}
    for model, body, words in (
        ("nowhere.pt", BODY, "no such file"),
        ("echo.pt", b"", "no body"),
        ("echo.pt", b"[", "X-Request-Timeout-Ms"),
    ):
        path, _, query = (target % model).partition("?")
        response = client.simulate_post(path, query_string=query, headers=wrong, body=body)
        assert response.status_code == 400
        assert words in response.text


def test_all_doors_ask_for_a_key(runtime: Runtime, tmp_path: Path):
    (tmp_path / "keys").write_text(KEY)
    keys = ApiKeys(tmp_path / "keys")
    responses = ResponseRecorder(runtime.group.statistics)
    for each in (app.create_app(runtime, keys), wsgi.create_app(runtime, responses, keys)):
        client = falcon.testing.TestClient(each)
        assert client.simulate_get("/healthcheck").status_code == 401
        assert client.simulate_get("/nowhere").status_code == 401
        headers = {"Authorization": f"Bearer {KEY}"}
        assert client.simulate_get("/healthcheck", headers=headers).status_code == 200


def test_a_cold_start_is_counted_on_the_method_that_was_asked_for(
    tmp_path: Path, start: Callable[..., Process]
):
    torch.jit.script(Several()).save(tmp_path / "several.pt")
    process = start(tmp_path, "--port", "0")
    with Client(process.url) as client:
        assert client.post("several.pt", [tensor([1], [2])], method="scaled").status == 200
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=LIMIT_S) as response:
        lines = response.read().decode().splitlines()
    waits = [line for line in lines if "load_waits_total{" in line]
    assert sorted(waits) == [
        'torch_serving_load_waits_total{method="forward",model="several.pt"} 0.0',
        'torch_serving_load_waits_total{method="scaled",model="several.pt"} 1.0',
    ]

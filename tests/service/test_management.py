"""The list of models, loading and unloading, and metrics: one response for all workers."""

import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import LIMIT_S, Client, in_threads, tensor
from tests.support.process import Process, child_pids, wait_until
from tests.support.servables import SOURCES, scripted

X = tensor([1], [3])


def save_echoes(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    for name in ("a.pt", "sub/c d.pt"):
        scripted(*SOURCES["echo.pt"]).save(folder / name)
    shutil.copy(folder / "a.pt", folder / "b.pt")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return save_echoes(tmp_path / "models")


@pytest.fixture
def url(root: Path, start: Callable[..., Process]) -> str:
    return start(root, "--port", "0", "--workers", "2").url


@pytest.fixture(scope="module")
def refusing_url(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> str:
    """A server for requests that are refused: none loads a model."""
    root = save_echoes(tmp_path_factory.mktemp("models"))
    return start_for_module(root, "--port", "0", "--workers", "2").url


def ask(url: str, target: str, method: str = "GET") -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}{target}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def listed(url: str) -> dict[str, Any]:
    status, document = ask(url, "/models")
    assert status == 200
    return {model["identifier"]: model for model in document["models"]}


def metrics(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=LIMIT_S) as response:
        assert response.headers["content-type"].startswith("text/plain; version=")
        text = response.read().decode()
    return {
        (sample.name.removeprefix("torch_serving_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(**values: str) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


def serve(url: str, identifier: str = "a.pt", count: int = 1) -> None:
    with Client(url) as client:
        for _ in range(count):
            assert client.post(identifier, [X]).result == X


def workers_with(url: str, identifier: str) -> int:
    return sum(entry["workers"] for entry in listed(url)[identifier]["loaded"])


def test_what_there_is_and_what_is_loaded(url: str):
    models = listed(url)
    assert list(models) == ["a.pt", "b.pt", "sub/c d.pt"]
    assert {model["state"] for model in models.values()} == {"available"}
    assert models["a.pt"]["last_used"] is None
    # a name of the contents, not of the file
    assert models["a.pt"]["version"] == models["b.pt"]["version"]
    assert models["a.pt"]["version"] != models["sub/c d.pt"]["version"]
    in_threads(8, lambda _: serve(url, count=20))
    model = listed(url)["a.pt"]
    assert model["state"] == "loaded"
    assert model["requests"] == 160
    assert 1 <= model["loads"] <= 2
    assert 0 < model["hits"] < 160
    assert model["loaded"][0]["device"] == "cpu"
    assert model["loaded"][0]["version"] == model["version"]
    assert model["loaded"][0]["runs"] == "TorchScript"
    assert model["last_used"] >= model["loaded"][0]["since"]


def test_loading_and_unloading_in_all_workers(url: str):
    assert ask(url, "/models/sub/c%20d.pt/load", "POST")[1]["loaded"][0]["workers"] == 2
    assert workers_with(url, "sub/c d.pt") == 2
    assert ask(url, "/models/sub/c%20d.pt/load", "POST")[0] == 200  # once more does no harm
    status, model = ask(url, "/models/sub/c%20d.pt", "DELETE")
    assert (status, model["state"], model["loaded"]) == (200, "available", [])
    assert workers_with(url, "sub/c d.pt") == 0
    assert ask(url, "/models/sub/c%20d.pt", "DELETE")[0] == 200
    serve(url, "sub/c d.pt")
    assert workers_with(url, "sub/c d.pt") == 1


@pytest.mark.parametrize("name", ["nothing.pt", "..%2Fx.pt", "sub", "%00", "x" * 3000])
def test_models_that_there_are_not(refusing_url: str, name: str):
    for method, target in (("POST", f"/models/{name}/load"), ("DELETE", f"/models/{name}")):
        status, document = ask(refusing_url, target, method)
        assert (status, document["description"]) == (400, "Invalid servable identifier")


def test_other_requests(refusing_url: str):
    assert ask(refusing_url, "/models", "POST")[0] == 405
    assert ask(refusing_url, "/models/a.pt", "POST")[0] == 404
    assert ask(refusing_url, "/metrics", "DELETE")[0] == 405


@pytest.mark.parametrize(
    ("query", "description"),
    [
        ("device=warp", "Invalid device"),
        ("device=", "Invalid device"),
        ("device=cpu&device=cpu", "Invalid parameter"),
        ("devise=cpu", "Invalid parameter"),
    ],
)
def test_devices_that_there_are_not(refusing_url: str, query: str, description: str):
    for method, target in (("GET", "/models/a.pt"), ("POST", "/models/a.pt/load")):
        status, document = ask(refusing_url, f"{target}?{query}", method)
        assert (status, document["description"]) == (400, description)


def test_a_model_is_dropped_from_all_devices(refusing_url: str):
    status, document = ask(refusing_url, "/models/a.pt?device=cpu", "DELETE")
    assert (status, document["detail"]) == (
        400,
        "unknown query parameter `device`; this resource takes none",
    )


def test_a_worker_that_was_started_again_is_asked_too(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--workers", "2")
    url = process.url
    ask(url, "/models/a.pt/load", "POST")
    os.kill(child_pids(process)[0], signal.SIGKILL)
    wait_until(lambda: "worker 0 died" in process.stderr)
    wait_until(lambda: metrics(url).get(("threads", labels(worker="0")), 0) > 0)
    wait_until(lambda: workers_with(url, "a.pt") == 1)
    assert ask(url, "/models/a.pt/load", "POST")[0] == 200
    assert workers_with(url, "a.pt") == 2


def test_a_newer_file_that_is_bad_is_reported(root: Path, url: str):
    ask(url, "/models/a.pt/load", "POST")
    (root / "new").write_bytes(b"no model")
    os.replace(root / "new", root / "a.pt")
    serve(url, count=2)
    assert "a newer file is not served" in listed(url)["a.pt"]["warning"]


def test_metrics_of_all_workers(url: str):
    in_threads(8, lambda _: serve(url, count=20))
    with Client(url) as client:
        assert client.post("a.pt", b"{").status == 400
        for index in range(50):
            assert client.post(f"unknown-{index}.pt", [X]).status == 400
            assert client.post("a.pt", [X], method=f"unknown-{index}").status == 400
    values = metrics(url)
    forward = {"model": "a.pt", "method": "forward"}
    assert values["requests_total", labels(code="200", **forward)] == 160
    assert values["requests_total", labels(code="400", **forward)] == 1
    assert values["requests_total", labels(code="400", model="", method="")] == 100
    assert values["request_seconds_count", labels(**forward)] == 161
    for step, count in (("decode", 161), ("forward", 160), ("encode", 160)):
        assert values["step_seconds_count", labels(step=step, **forward)] == count
    assert values["batch_size_sum", labels(**forward)] == 160
    loads = [values["cache_loads_total", labels(worker=worker)] for worker in "01"]
    assert values["model_loads_total", labels(model="a.pt")] == sum(loads)
    assert values["cache_bytes", labels(worker="0")] == 0  # it has no weights
    assert values["process_resident_memory_bytes", labels(worker="1")] > 1e7
    assert not [name for name, _ in values if "unknown" in name]
    models = {dict(found).get("model") for _, found in values}
    assert models == {None, "", "a.pt"}


def test_counters_outlive_a_worker(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0")
    url = process.url
    (worker,) = child_pids(process)  # a process that tries a model is one, too
    serve(url, count=10)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: "worker 0 died" in process.stderr)
    serve(url, count=5)
    key = "requests_total", labels(code="200", model="a.pt", method="forward")
    assert metrics(url)[key] == 15

"""The document of a running server has the models that it has loaded."""

from collections.abc import Callable
from pathlib import Path

from tests.support.client import Client, tensor
from tests.support.fetch import fetch
from tests.support.process import Process
from torch_serving.server.ipc.loaded_models import LoadedModels


def test_a_live_document(uvicorn_server: Process, model_root: Path):
    """It has schemas of the models that are in memory, and of no other."""
    with Client(uvicorn_server.url, secrets=[model_root.name]) as client:
        assert client.post("deep/er/a b,é&+.pt", [tensor([1], [1.0])]).status == 200
        assert client.post("raising.pt", [tensor([1], [1.0])]).status == 400
    assert fetch(uvicorn_server.url, "/models/mlp.pt", method="DELETE")[0] == 200
    found = fetch(uvicorn_server.url, "/openapi.json")[2]
    titles = {each.get("title") for each in found["components"]["schemas"].values()}
    assert "deep/er/a b,é&+.pt: forward" in titles
    assert "mlp.pt: forward" not in titles
    path = "/v2/models/deep/er/a%20b%2C%C3%A9%26%2B.pt/infer"
    assert "post" in found["paths"][path]
    servable = found["paths"]["/serve"]["post"]["parameters"][0]
    assert "mlp.pt" in servable["schema"]["enum"]


def test_all_workers_describe_a_model_that_one_has_loaded(
    model_root: Path, start: Callable[..., Process]
):
    process = start(model_root, "--port", "0", "--workers", "2")
    with Client(process.url) as client:
        assert client.post("echo.pt", [tensor([1], [1.0])]).status == 200
    for _ in range(6):  # each on a new connection, which workers accept in turn
        found = fetch(process.url, "/openapi.json")[2]
        assert "echo.pt.forward.arguments" in found["components"]["schemas"]


def test_models_are_published_without_what_does_not_fit():
    loaded_models = LoadedModels()
    loaded_models.attach(0)
    models = [{"identifier": str(each), "methods": {"forward": "x" * 8000}} for each in range(200)]
    loaded_models.publish(models[:100])
    assert loaded_models.read() == [models[:100]]
    loaded_models.publish(models)
    assert loaded_models.read() == [[{**each, "examples": {}, "methods": {}} for each in models]]
    models = [{"methods": {}, "examples": {"forward": "x" * 8000}} for _ in range(200)]
    loaded_models.publish(models)
    assert loaded_models.read() == [[{**each, "examples": {}} for each in models]]

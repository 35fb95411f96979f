"""The examples of the document are requests that work."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.client import LIMIT_S, Client
from tests.support.fetch import fetch
from tests.support.process import Process, wait_until
from tests.support.servables import SOURCES, scripted

MODELS = ("echo.pt", "str.pt", "two.pt")


def test_examples_work(tmp_path: Path, start: Callable[..., Process]):
    """Those of the document, by model, and those of one description."""
    for name in MODELS:
        scripted(*SOURCES[name]).save(tmp_path / name)
    process = start(tmp_path, "--port", "0", "--workers", "2", "--preload", "*")
    found = whole_document(process)
    with Client(process.url) as client:
        for model, body in shown(found, "/serve").items():
            assert client.post(model, body).status == 200
        for model, body in shown(found, "/v2/models/{model}/infer").items():
            own = shown(found, f"/v2/models/{model}/infer")
            assert own == {model: body}
            assert fetch(process.url, f"/models/{model}")[2]["oip_example"] == body
            status, _ = posted(process.url, f"/v2/models/{model}/infer", body)
            assert status == 200
    (servable, *_) = found["paths"]["/serve"]["post"]["parameters"]
    assert servable["example"] == next(iter(shown(found, "/serve")))


def whole_document(process: Process) -> dict[str, Any]:
    """The first document with all examples, which it does not wait for for ever."""
    found: dict[str, Any] = {}

    def is_whole() -> bool:
        found.update(fetch(process.url, "/openapi.json")[2])
        paths = ("/serve", "/v2/models/{model}/infer")
        return all(set(shown(found, path)) == set(MODELS) for path in paths)

    wait_until(is_whole)
    return found


def shown(document: dict[str, Any], path: str) -> dict[str, Any]:
    """The examples at a path that were found, by model."""
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    found = [each for each in content["examples"].values() if "x-guessed" not in each]
    return {each["x-model"]: each["value"] for each in found}


def posted(url: str, target: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}{target}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
        return response.status, json.load(response)

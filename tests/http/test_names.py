"""Names without suffix, near names and no name, at every door."""

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.client import LIMIT_S, tensor
from tests.support.process import Process
from tests.support.servables import SOURCES, scripted
from tests.support.transports import SERVERS

BODY = [tensor([1], [1.0])]
V2_BODY = {
    "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]}],
}
DOORS = [
    ("POST", "/serve?servable_identifier={}", BODY),
    ("POST", "/serve?servable_identifier={}&plain=1", BODY),
    ("GET", "/models/{}", None),
    ("POST", "/models/{}/load", None),
    ("DELETE", "/models/{}", None),
    ("GET", "/v2/models/{}", None),
    ("GET", "/v2/models/{}/ready", None),
    ("GET", "/v2/models/{}/stats", None),
    ("POST", "/v2/models/{}/infer", V2_BODY),
    ("POST", "/v2/repository/models/{}/load", None),
    ("POST", "/v2/repository/models/{}/unload", None),
]


def ask(url: str, method: str, target: str, body: Any) -> tuple[int, Any]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=LIMIT_S)
    connection.request(method, target, None if body is None else json.dumps(body))
    with connection.getresponse() as response:
        text = response.read()
    connection.close()
    return response.status, json.loads(text)


def save(root: Path, *names: str) -> None:
    for name in names:
        scripted(*SOURCES["echo.pt"]).save(root / name)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]) -> str:
    root = tmp_path_factory.mktemp("models")
    save(root, "iris.pt", "rose.pt")
    return start_for_module(root, "--port", "0").url


@pytest.mark.parametrize(("method", "target", "body"), DOORS)
def test_the_suffix_may_be_left_out(url: str, method: str, target: str, body: Any):
    for _ in range(2):
        expected = ask(url, method, target.format("iris.pt"), body)[0]
        assert ask(url, method, target.format("iris"), body)[0] == expected == 200


@pytest.mark.parametrize(("method", "target", "body"), DOORS)
def test_a_near_name_is_offered(url: str, method: str, target: str, body: Any):
    status, document = ask(url, method, target.format("irsi.pt"), body)
    text = document.get("detail") or document["error"]
    assert status == 400
    assert text.endswith(
        "`irsi.pt`: there is no such file below the model root; did you mean `iris.pt`?"
    )
    assert text.count("irsi.pt") == 1


@pytest.mark.parametrize("server", SERVERS)
def test_the_only_model_need_not_be_named(
    tmp_path: Path, start: Callable[..., Process], server: str
):
    root = tmp_path / "models"
    root.mkdir()
    save(root, "a b&=é.pt")
    url = start(root, "--port", "0", "--server", server).url
    for target in ("/serve", "/serve?", "/serve?method=forward&plain=1", "/serve?plain=0"):
        assert ask(url, "POST", target, BODY)[0] == 200
    status, document = ask(url, "POST", "/serve?plain=2", BODY)
    assert (status, document["description"]) == (400, "Invalid parameter")
    assert ask(url, "POST", "/serve?servable_identifier=a%20b%26%3D%C3%A9", BODY)[0] == 200
    status, document = ask(url, "POST", "/serve?servable_identifier=a%20b%26%3DE.pt", BODY)
    assert "did you mean `a b&=é.pt`?" in document["detail"]


def test_one_of_several_must_be_named(url: str):
    status, document = ask(url, "POST", "/serve", BODY)
    missing = "Missing required parameter `servable_identifier`"
    assert (status, document["description"]) == (400, missing)

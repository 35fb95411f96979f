"""A server whose models have declarations: its responses, its descriptions, its command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.declared_models import save
from tests.support.fetch import fetch
from tests.support.process import Process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("declared")
    save(folder)
    (folder / "wrong.pt").write_bytes((folder / "rows.pt").read_bytes())
    (folder / "wrong.toml").write_text('[input.x]\nshape = [4]\n[input.y]\ndata_type = "int8"\n')
    (folder / "batched.pt").write_bytes((folder / "rows.pt").read_bytes())
    (folder / "batched.toml").write_text('batch = true\n[input.x]\nshape = ["n", 4]\n')
    return folder


@pytest.fixture(scope="module", params=[1, 2])
def server(
    request: pytest.FixtureRequest, folder: Path, start_for_module: Callable[..., Process]
) -> Process:
    return start_for_module(folder, "--port", "0", "--workers", str(request.param))


def test_the_fast_path(server: Process):
    with Client(server.url) as client:
        for _ in range(8):
            assert client.post("rows.pt", {"x": [[1, 2, 3, 4]]}).result["value"] == [10.0, 10.0]
            response = client.post("rows.pt", {"x": [[1, 2, 3]]})
            assert (response.status, response.document) == (
                400,
                {
                    "code": 400,
                    "message": "Client Error",
                    "description": "Incompatible tensor shapes",
                    "detail": "/x: expected shape [1…3, 4], got [1, 3]: dimension 1 is 3, not 4 "
                    "(argument `x`: Tensor)",
                },
            )


def test_batches_of_different_sizes(server: Process):
    with Client(server.url) as client:
        for rows in (1, 2, 3):
            result = client.post("batched.pt", {"x": [[1, 2, 3, 4]] * rows}).result
            assert result["shape"] == [rows, 2]
        assert client.post("batched.pt", {"x": [[1, 2, 3]]}).status == 400


def test_the_description_has_the_declared_example(server: Process):
    status, _, document = fetch(server.url, "/models/ids.pt")
    assert status == 200
    method = document["methods"]["forward"]
    assert method["example"] == {"ids": [[0] * 4], "mask": [[False] * 4]}
    assert method["arguments"][0]["shape"] == [-1, "n"]
    assert fetch(server.url, "/v2/models/ids.pt")[2]["inputs"][0] == {
        "name": "ids",
        "datatype": "INT64",
        "shape": [-1, -1],
    }
    document = fetch(server.url, "/openapi.json")[2]
    (named, *_) = document["components"]["schemas"]["ids.pt.forward.arguments"]["anyOf"]
    assert any(
        each.get("items", {}).get("items", {}).get("type") == "integer"
        for each in named["properties"]["ids"]["anyOf"]
    )


def test_a_mistake_is_told_with_its_line(server: Process):
    with Client(server.url) as client:
        response = client.post("wrong.pt", {"x": [1, 2, 3, 4]})
    assert response.status == 400
    detail = "wrong.toml line 3: there is no argument `y`; known tensors are x"
    assert response.document["detail"].endswith(detail)


@pytest.mark.parametrize(
    ("name", "body", "code", "words"),
    [
        ("rows.pt", {"x": [[1, 2, 3, 4]]}, 0, '"shape":[1,2]'),
        ("rows.pt", {"x": [[1, 2, 3]]}, 1, "dimension 1 is 3, not 4"),
        ("wrong.pt", {"x": [1]}, 2, "wrong.toml line 3: there is no argument `y`"),
    ],
)
def test_the_command_line(folder: Path, name: str, body: Any, code: int, words: str):
    command = [sys.executable, "-W", "ignore", "-m", "torch_serving", "run", str(folder / name)]
    done = subprocess.run([*command, "--data", json.dumps(body)], capture_output=True, check=False)
    assert done.returncode == code
    assert words in (done.stdout + done.stderr).decode()

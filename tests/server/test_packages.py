"""Packages of AOTInductor in a running server."""

import json
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from tests.support.binary_bodies import NUMPY, SAFE, Response, array_in, tensors_in
from tests.support.client import Client, in_threads, tensor
from tests.support.libraries import save_echo
from tests.support.packages import Compiled
from tests.support.process import Process, child_pids, wait_until
from torch_serving.models import loader

CRASHES_AT_LOAD = (
    "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }\n"
)
SERVE, INFER = "/serve?servable_identifier=mlp.pt2", "/v2/models/mlp.pt2/infer"
X = [[0.25 * each for each in range(16)]]


@pytest.fixture
def root(tmp_path: Path, compiled: Compiled) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(compiled.package, folder / "mlp.pt2")
    save_echo(tmp_path / "echo.pt2").rename(folder / "echo.pt2")
    save_echo(tmp_path / "load.pt2", before=CRASHES_AT_LOAD).rename(folder / "load.pt2")
    save_echo(tmp_path / "run.pt2", run="abort()").rename(folder / "run.pt2")
    (folder / "run.warmup.json").write_text(json.dumps({"x": [1.0]}))
    return folder


def test_packages_are_served(root: Path, compiled: Compiled, start: Callable[..., Process]):
    process = start(root, "--port", "0")
    with Client(process.url) as client:
        response = client.post("mlp.pt2", {"x": X})
        workers = child_pids(process)
        expected = loader.load(compiled.program, torch.device("cpu")).main_method()
        with torch.inference_mode():
            result = expected.run([torch.tensor(X)])
        assert response.status == 200
        assert torch.allclose(torch.tensor(response.result["value"]), result.flatten(), atol=1e-6)
        assert client.post("mlp.pt2", {"x": [[1.0]]}).status == 400
        assert client.post("echo.pt2", [tensor([1], [1.5])]).result == tensor([1], [1.5])
        for name in ("load.pt2", "run.pt2"):
            refused = client.post(name, [tensor([1], [1.0])])
            assert refused.status == 400
            assert "a process that loaded it crashed" in refused.document["detail"]
        assert client.post("echo.pt2", [tensor([1], [2.5])]).result == tensor([1], [2.5])
    assert workers[0] in child_pids(process)
    wait_until(lambda: "signal SIGABRT" in process.stderr)


def test_all_forms_of_requests_and_results(root: Path, start: Callable[..., Process]):
    """Arrays and tensors go in and come out, alone and together in batches."""
    process = start(root, "--port", "0", "--threads", "2")
    rows = torch.linspace(-1, 1, 64 * 16).reshape(64, 1, 16)
    with Client(process.url) as client:
        every = client.post("mlp.pt2", {"x": rows[:, 0].tolist()}).result["value"]
        expected = torch.tensor(every).reshape(64, 4)
        body = json.dumps({"x": rows[0].tolist()}).encode()
        (as_tensors,) = tensors_in(ask(process.url, body, SAFE)).values()
        assert torch.allclose(as_tensors, expected[:1], atol=1e-6)
        as_array = torch.from_numpy(array_in(ask(process.url, body, NUMPY)))
        assert torch.allclose(as_array, expected[:1], atol=1e-6)
        sent = safetensors.torch.save({"x": rows[0]})
        response = client.post("mlp.pt2", sent, {"Content-Type": SAFE})
        assert torch.allclose(torch.tensor(response.result["value"]), expected[0], atol=1e-6)
        infer = {"name": "x", "datatype": "FP32", "shape": [1, 16], "data": rows[0].tolist()}
        response = ask(process.url, json.dumps({"inputs": [infer]}).encode(), target=INFER)
        (output,) = json.loads(response.body)["outputs"]
        assert torch.allclose(torch.tensor(output["data"]), expected[0], atol=1e-6)

    def right(number: int) -> bool:
        with Client(process.url) as client:
            for _ in range(10):
                response = client.post("mlp.pt2", {"x": rows[number].tolist()})
                result = torch.tensor(response.result["value"])
                if not torch.allclose(result, expected[number], atol=1e-6):
                    return False
        return True

    assert all(in_threads(32, right))


def ask(url: str, body: bytes, accept: str = "*/*", target: str = SERVE) -> Response:
    request = urllib.request.Request(f"{url}{target}", body, {"Accept": accept})
    with urllib.request.urlopen(request) as response:
        return Response(response.status, response.headers["Content-Type"], response.read())

"""Packages of AOTInductor in a running server."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.libraries import save_echo
from tests.support.packages import Compiled
from tests.support.process import Process, child_pids
from torch_serving.models import loader

CRASHES_AT_LOAD = (
    "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }\n"
)
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
    assert child_pids(process) == workers
    assert "signal SIGABRT" in process.stderr

"""Servers, and clients of tritonclient that are connected to them."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import tritonclient.http as triton

from tests.support.process import Process
from tests.support.servables import SOURCES, mlp, scripted


@pytest.fixture(scope="module")
def own_server(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> Process:
    """Models that nobody else loads or unloads."""
    root = tmp_path_factory.mktemp("repository")
    (root / "team").mkdir()
    for name in ("echo.pt", "two.pt"):
        scripted(*SOURCES[name]).save(root / name)
    mlp().save(root / "team" / "mlp.pt")
    (root / "broken.pt").write_bytes(b"no model")
    return start_for_module(root, "--port", "0", "--batch", "team/*")


def connect(process: Process) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(urlsplit(process.url).netloc) as client:
        yield client


@pytest.fixture
def asked(uvicorn_server: Process) -> Iterator[triton.InferenceServerClient]:
    yield from connect(uvicorn_server)


@pytest.fixture
def owned(own_server: Process) -> Iterator[triton.InferenceServerClient]:
    yield from connect(own_server)

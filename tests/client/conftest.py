"""A server that says what a script has, and one that serves real models."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.scripted_server import ScriptedServer
from tests.support.process import Process
from torch_serving.client import Client


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def url(model_root: Path, start_for_all: Callable[..., Process]) -> str:
    return start_for_all(model_root, "--port", "0", "--model-capacity", "100").url


@pytest.fixture
def models(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client

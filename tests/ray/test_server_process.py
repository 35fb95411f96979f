"""A server as a child of a node: where it listens, why it did not start, and its end."""

from pathlib import Path

import pytest
import torch

from tests.support.process import wait_until
from torch_serving.api_keys import read_keys
from torch_serving.ray.server_process import ServerProcess, environment_of_server

HOST = "127.0.0.1"
pytestmark = pytest.mark.server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    torch.jit.script(torch.nn.Linear(2, 1).eval()).save(str(tmp_path / "m.pt"))
    return tmp_path


def test_it_listens_on_a_port_of_its_own_and_ends_when_told(root: Path):
    server = ServerProcess(str(root), ["--log-level", "warning"], HOST, None)
    server.check()
    assert server.load()["queue"] == 0
    server.stop(30)
    with pytest.raises(RuntimeError, match="the server ended with exit code 0"):
        server.check()


def test_it_is_asked_with_a_key(root: Path, tmp_path: Path):
    file = tmp_path / "keys"
    file.write_text("# keys\n\n0123456789abcdef\nfedcba9876543210\n")
    key = read_keys(file)[0]
    server = ServerProcess(str(root), ["--api-key-file", str(file)], HOST, key)
    assert server.load()["threads"] > 0
    server.stop(30)


def test_why_it_did_not_start_is_told(tmp_path: Path):
    with pytest.raises(RuntimeError, match=r"exit code 2: .*no such folder or file: .*none"):
        ServerProcess(str(tmp_path / "none"), [], HOST, None)


def test_a_killed_server_is_seen(root: Path):
    server = ServerProcess(str(root), [], HOST, None)
    server.kill()
    wait_until(lambda: not server.is_running())
    with pytest.raises(RuntimeError, match="exit code -9"):
        server.check()
    server.stop(1)


def test_rays_number_of_threads_is_not_the_servers():
    assert environment_of_server({"OMP_NUM_THREADS": "1", "HOME": "/"}) == {"HOME": "/"}

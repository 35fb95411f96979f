"""`torch-serving bench FILE`: a server of its own, which ends with the measurement."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.support.certificate import make_certificate
from tests.support.client import LIMIT_S
from tests.support.servables import mlp
from torch_serving.bench.address import Address

pytestmark = pytest.mark.server
SHORT = ["-c", "2", "-s", "1", "--warm-up", "0.1", "--generator", "own"]
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "mlp.pt"
    mlp().save(path)
    return path


def bench(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torch_serving", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def measured(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The one measurement that was printed as JSON."""
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["measurements"]
    assert run["failures"] == []
    assert run["answers"] > 0
    return run


def test_a_file_in_binary_rows(model: Path):
    run = measured(bench(model, *SHORT, "--form", "safetensors", "--rows", "2", "--json"))
    assert {"decode", "forward", "encode"} <= run["server"]["steps"].keys()
    assert run["server"]["requests"] >= run["answers"]


def test_certificate_and_key_of_the_server_are_taken(model: Path, tmp_path: Path):
    certificate, key = make_certificate(tmp_path)
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    flags = ["--tls-cert", certificate, "--tls-key", key, "--api-key-file", keys]
    run = measured(bench(model, *SHORT, "--form", "v2", "--json", "--", *flags))
    assert run["server"]["requests"] >= run["answers"]


def test_a_socket_of_the_server_is_found(model: Path):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "server.sock"
        measured(bench(model, *SHORT, "--rate", "50", "--json", "--", "--uds", path))
        assert not path.exists()  # the server has ended as it should


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:0", "http://127.0.0.1:81"),
        ("https://[::1]:0", "https://[::1]:81"),
        ("http://localhost", "http://localhost:81"),
        ("http://localhost:80/team", "http://localhost:81/team"),
    ],
)
def test_the_server_tells_its_port(url: str, expected: str):
    assert Address(url).at_port(81).url == expected


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk_sends_the_same(model: Path):
    flags = [*SHORT, "--rows", "2", "--form", "safetensors", "--generator", "wrk", "--json"]
    run = measured(bench(model, *flags))
    assert run["generator"]["name"] == "wrk"
    assert run["latency_ms"]["p50"] > 0
    assert run["server"]["requests"] >= run["answers"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--workers", "none"], "--workers: expected a whole number or auto, got 'none'"),
        (["--preload", "other.pt"], "the server did not start: "),
    ],
)
def test_a_server_that_does_not_start(model: Path, flags: list[str], words: str):
    done = bench(model, *SHORT, "--", *flags)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert done.stdout == ""

"""The server that tests of users start: it ends however they end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.client import LIMIT_S
from tests.support.process import is_alive, wait_until
from torch_serving.testing import Served, ServerFailed, server
from torch_serving.testing.process import address_in, arguments_of, end

ROOT = Path(__file__).parents[2]
X = np.ones(3, np.float32)
TEST = """
import numpy as np
from torch_serving.testing import server

def test_echo():
    with server({root!r}) as served:
        assert served.client["echo.pt"](np.ones(3)).sum() == 3

def test_it_is_shared(serve):
    one, other = serve({root!r}, threads=1), serve({root!r}, threads=1)
    assert one is other
    print("it runs at", one.url)

def test_it_fails(serve):
    assert serve({root!r}, threads=1).client["echo.pt"](np.ones(3)).sum() == 4
"""


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def keeper_of(served: Served) -> int:
    return served._process.pid


def test_it_serves_and_ends(model_root: Path):
    with server(model_root, threads=1, trial_load=False) as served:
        pids = [keeper_of(served), *descendants(keeper_of(served))]
        assert len(pids) >= 3  # the keeper, the server, a worker
        assert served.is_running
        assert served.client["echo.pt"](X).tolist() == X.tolist()
        assert served.url in served.log
    assert not any(map(is_alive, pids))
    assert served.log == ""  # its file has gone


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:41234", "https://[::1]:41234", "http://a-b.example:80", "unix:/a b/x.sock"],
)
def test_the_address_is_that_of_the_start(tmp_path: Path, address: str):
    """Other lines name other servers: a collector, a store of models."""
    log = tmp_path / "log"
    log.write_text(
        "WARNING no answer from http://127.0.0.1:4318\n"
        f'{{"message": "torch-serving 0.1.0 on {address} (uvicorn): 3 models"}}\n'
    )
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        assert address_in(log, process, 0.0) == address


@pytest.mark.parametrize("killed", ["the test", "the keeper"])
def test_it_ends_with_whoever_is_killed(model_root: Path, killed: str):
    code = (
        "import sys, time; from torch_serving.testing import server\n"
        f"with server({str(model_root)!r}) as served:\n"
        "    print(served._process.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as test:
        keeper = int(test.stdout.readline())
        pids = [keeper, *descendants(keeper)]
        assert len(pids) >= 3
        os.kill(test.pid if killed == "the test" else keeper, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in pids if pid != keeper))
        test.kill()
    wait_until(lambda: not is_alive(keeper))


def test_it_says_why_it_did_not_start(tmp_path: Path):
    with pytest.raises(ServerFailed, match=r"status 2\n.*no such folder"), server(tmp_path / "no"):
        pass
    with pytest.raises(ServerFailed, match=r"status 2\n.*--nonsense"), server(tmp_path, nonsense=1):
        pass


def test_it_does_not_wait_for_ever(model_root: Path):
    with (
        pytest.raises(ServerFailed, match="told no address in time"),
        server(model_root, start_s=0),
    ):
        pass


def test_the_log_is_shown_with_a_failure(model_root: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(AssertionError), server(model_root, threads=1) as served:
        raise AssertionError
    assert served.url in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({}, "--port 0"),
        ({"port": 80}, "--port 80"),
        ({"uds": "/x", "watch": True}, "--uds /x --watch"),
        ({"trial_load": False, "device": None}, "--port 0 --no-trial-load"),
        ({"preload": ["a", "b"]}, "--port 0 --preload a --preload b"),
    ],
)
def test_flags(flags: dict[str, object], words: str):
    assert arguments_of(flags) == words.split()


def test_a_keeper_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch_serving.testing.process.STOP_S", 0.01)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n"
    command = [sys.executable, "-c", f"{code}time.sleep({LIMIT_S})"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        end(process)
        assert process.returncode == -signal.SIGKILL


def test_the_fixture(model_root: Path, tmp_path: Path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["torch_serving.testing.plugin"]\n')
    (tmp_path / "test_it.py").write_text(TEST.format(root=str(model_root)))
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-rP", "-q", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "log of http://127.0.0.1:" in done.stdout

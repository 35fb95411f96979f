"""A server on a Unix socket, and one that is served below a path."""

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.client import LIMIT_S, Client, tensor
from tests.support.process import Process, check_one_line, wait_until
from torch_serving.errors import StartupError
from torch_serving.server import unix_listener as module
from torch_serving.server.unix_listener import unix_listener

CLIENT = "203.0.113.7"


@pytest.fixture
def path() -> Iterator[Path]:
    """A short path: that of a socket has at most 107 bytes."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "server.sock"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_and_removes_its_file(
    model_root: Path, start: Callable[..., Process], path: Path, workers: str
):
    process = start(model_root, "--uds", path, "--workers", workers)
    assert process.url == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    for _ in range(4):
        with Client(process.url) as client:
            client.check()
            assert client.get("/healthcheck").status == 200
    process.signal()
    assert process.exit_code() == 0
    assert not path.exists()
    assert process.problems == ""


def test_the_printed_command_works(model_root: Path, start: Callable[..., Process], path: Path):
    process = start(model_root, "--uds", path)
    assert process.url
    line = process.stdout.splitlines()[0]
    assert "docs:" not in line
    command = line.partition("; try: ")[2]
    assert f"--unix-socket {path} http://localhost/" in command
    done = subprocess.run(["sh", "-c", f"{command} --silent --fail"], capture_output=True)
    assert (done.returncode, done.stdout[:1]) == (0, b"{")


def test_the_socket_of_a_server_that_was_killed_is_replaced(
    model_root: Path, start: Callable[..., Process], path: Path
):
    first = start(model_root, "--uds", path)
    assert first.url
    second = start(model_root, "--uds", path)
    assert second.exit_code() == 2
    check_one_line(second, f"can't listen on {path}: another server listens there; --uds")
    first.signal(signal.SIGKILL)
    first.exit_code()
    wait_until(lambda: not is_listening(path))  # the worker ends too
    assert path.is_socket()
    with Client(start(model_root, "--uds", path).url) as client:
        client.check()


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_a_server_that_still_starts_is_not_taken_for_dead(path: Path):
    with unix_listener(path):
        with pytest.raises(StartupError, match="another server"), unix_listener(path):
            pass
        assert path.is_socket()
    assert not path.exists()


def test_a_server_that_does_not_listen_yet_is_not_taken_for_dead(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "STARTING_S", LIMIT_S)
    with socket.socket(socket.AF_UNIX) as starting:
        starting.bind(str(path))
        monkeypatch.setattr(module.time, "sleep", lambda _: starting.listen())
        with pytest.raises(StartupError, match="another server"), unix_listener(path):
            pass
    assert path.is_socket()


def test_a_file_that_nobody_listens_at_is_replaced_in_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """However young it is: its server may have died at once."""
    monkeypatch.setattr(module, "STARTING_S", 0.05)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        with unix_listener(path):
            assert is_listening(path)


def test_the_file_of_a_successor_is_not_removed(path: Path):
    with unix_listener(path):
        path.unlink()
        path.touch()
        os.utime(path, ns=(0, 0))
    assert path.exists()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.touch, "a file that is no socket is in its place"),
        (Path.mkdir, "a file that is no socket is in its place"),
        (lambda path: path.symlink_to("nowhere"), "a file that is no socket is in its place"),
        (lambda path: path.parent.rmdir(), "No such file or directory; --uds"),
    ],
)
def test_where_it_does_not_listen(tmp_path: Path, make: Callable[[Path], None], words: str):
    folder = tmp_path / "folder"
    folder.mkdir()
    make(folder / "s")
    found = sorted(tmp_path.rglob("*"))
    with pytest.raises(StartupError, match=words), unix_listener(folder / "s"):
        pass
    assert sorted(tmp_path.rglob("*")) == found


def test_a_path_that_is_too_long(tmp_path: Path):
    with (
        pytest.raises(StartupError, match="too long; --uds"),
        unix_listener(tmp_path / ("x" * 200)),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--port", "0"], {}, "leave --port out"),
        (["--host", "::1"], {}, "leave --host out"),
        ([], {"TORCH_SERVING_PORT": "1"}, "leave TORCH_SERVING_PORT out"),
        (["--server", "meinheld"], {"PORT": "1"}, "meinheld does not listen on Unix sockets"),
        (["--root-path", "models"], {}, "--root-path: expected a path as in /models"),
        (["--root-path", "/models/"], {}, "without a slash at its end, got '/models/'"),
        (["--root-path", "/"], {}, "got '/'"),
        (["--root-path", "/{x}"], {}, "got '/{x}'"),
    ],
)
def test_what_does_not_go_together(
    model_root: Path,
    start: Callable[..., Process],
    arguments: list[str],
    environment: dict[str, str],
    words: str,
):
    process = start(model_root, "--uds", "s", *arguments, **environment)
    assert process.exit_code() == 2
    check_one_line(process, words)


@pytest.mark.parametrize(("trusted", "named"), [("127.0.0.1", "-"), ("unix:", CLIENT)])
def test_the_log_has_the_client_of_a_trusted_proxy(
    model_root: Path, start: Callable[..., Process], path: Path, trusted: str, named: str
):
    process = start(model_root, "--uds", path, "--forwarded-allow-ips", trusted)
    with Client(process.url) as client:
        headers = {"X-Forwarded-For": f"6.6.6.6, {CLIENT}"}
        client.post("echo.pt", [tensor([1], [1.0])], headers)
        client.request("GET", "/healthcheck", None, headers)
        client.get("/healthcheck")
    wait_until(lambda: process.stdout.count("\n") == 4)
    assert [line.split()[3] for line in process.stdout.splitlines()[1:]] == [named, named, "-"]

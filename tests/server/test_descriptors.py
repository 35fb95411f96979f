"""Descriptors that whoever starts a server hands over: --lifeline-fd and --ready-fd."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.client import LIMIT_S
from tests.support.fetch import fetch
from tests.support.servables import SOURCES, mlp, scripted
from tests.support.slow_model import body_of, turns_in

pytestmark = pytest.mark.server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    mlp().save(folder / "mlp.pt")
    return folder


@contextmanager
def started(
    root: Path, flags: Sequence[str], *handed_over: int
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "torch_serving", str(root), "--port", "0", *flags]
    process = subprocess.Popen(
        command, pass_fds=handed_over, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for each in handed_over:
        os.close(each)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_ready_line_has_the_address_and_ends(root: Path, workers: str) -> None:
    read, written = os.pipe()
    flags = ["--ready-fd", str(written), "--workers", workers]
    with started(root, flags, written) as process, open(read) as lines:
        line = json.loads(lines.read())  # until all processes have closed it
        assert line["pid"] == process.pid
        assert urlsplit(line["url"]).port == line["port"]
        assert line["host"] == "127.0.0.1"
        assert fetch(line["url"], "/ready")[0] == 200
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def test_nobody_needs_to_read_the_ready_line(root: Path) -> None:
    read, written = os.pipe()
    os.close(read)
    with started(root, ["--ready-fd", str(written)], written) as process:
        assert process.stdout
        url = process.stdout.readline().decode().split(" on ")[1].split()[0]
        assert fetch(url, "/ready")[0] == 200


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_the_end_of_the_lifeline_stops_the_server(root: Path, kind: str) -> None:
    if kind == "pipe":
        lifeline, held = os.pipe()
    else:
        lifeline, held = (each.detach() for each in socket.socketpair())
    read, written = os.pipe()
    flags = ["--lifeline-fd", str(lifeline), "--ready-fd", str(written)]
    with started(root, flags, lifeline, written) as process, open(read) as lines:
        url = json.loads(lines.read())["url"]
        os.write(held, b"what is written says nothing")
        assert fetch(url, "/ready")[0] == 200
        os.close(held)
        assert process.wait(LIMIT_S) == 0
        assert process.stderr
        assert b"the lifeline has ended" in process.stderr.read()


def test_requests_that_run_when_the_lifeline_ends_get_their_responses(root: Path) -> None:
    lifeline, held = os.pipe()
    read, written = os.pipe()
    scripted(*SOURCES["slow.pt"]).save(root / "slow.pt")
    body = body_of(turns_in(1.0, root))
    flags = ["--lifeline-fd", str(lifeline), "--ready-fd", str(written)]
    with started(root, flags, lifeline, written) as process, open(read) as lines:
        line = json.loads(lines.read())
        with socket.create_connection(("127.0.0.1", line["port"]), LIMIT_S) as client:
            head = "POST /serve?servable_identifier=slow.pt HTTP/1.1\r\nHost: x\r\n"
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            while not fetch(line["url"], "/load")[2]["busy"]:
                time.sleep(0.01)
            os.close(held)
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize(
    ("flag", "kind", "problem"),
    [
        ("--lifeline-fd", "none", "it is not open; whoever starts the server hands it over"),
        ("--ready-fd", "none", "it is not open; whoever starts the server hands it over"),
        ("--lifeline-fd", "file", "expected a pipe or a socket"),
        ("--ready-fd", "file", "expected a pipe or a socket"),
    ],
)
def test_a_wrong_descriptor_is_an_error_of_the_start(
    root: Path, tmp_path: Path, flag: str, kind: str, problem: str
) -> None:
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    number = file if kind == "file" else 250
    handed_over = [file] if kind == "file" else []
    with started(root, [flag, str(number)], *handed_over) as process:
        _, errors = process.communicate(timeout=LIMIT_S)
    if kind != "file":
        os.close(file)
    assert process.returncode == 2
    assert f"torch-serving: {flag} {number}: {problem}" in errors.decode()


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--lifeline-fd", "{written}"], "--lifeline-fd {written}: expected the end for reading"),
        (["--ready-fd", "{read}"], "--ready-fd {read}: expected the end for writing, got reading"),
        (["--ready-fd", "1"], "--ready-fd 1: it is closed then; hand over another one"),
        (["--ready-fd", "2"], "--ready-fd 2: it is closed then; hand over another one"),
        (
            ["--ready-fd", "{both}", "--lifeline-fd", "{both}"],
            "--ready-fd {both}: it is that of --lifeline-fd; hand over two",
        ),
    ],
)
def test_the_wrong_end_is_an_error_of_the_start(root: Path, flags: list[str], problem: str) -> None:
    read, written = os.pipe()
    both, other = (each.detach() for each in socket.socketpair())
    numbers = {"read": read, "written": written, "both": both}
    flags = [each.format(**numbers) for each in flags]
    with started(root, flags, *numbers.values()) as process:
        _, errors = process.communicate(timeout=LIMIT_S)
    os.close(other)
    assert process.returncode == 2
    assert problem.format(**numbers) in errors.decode()


def test_no_program_that_the_server_starts_inherits_them(root: Path) -> None:
    from torch_serving.server.descriptors import check_descriptor

    read, written = os.pipe()
    os.set_inheritable(read, True)
    check_descriptor("--lifeline-fd", read, os.O_RDONLY)
    assert not os.get_inheritable(read)
    for each in (read, written):
        with suppress(OSError):
            os.close(each)

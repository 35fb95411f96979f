"""Standard output and error may be closed, full, slow or broken: lines are lost, nothing waits."""

import json
import logging
import os
import re
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.support.client import LIMIT_S, Client, tensor
from tests.support.process import Process, wait_until
from torch_serving.telemetry import output as module
from torch_serving.telemetry.log_lines import JsonLines, rfc3339
from torch_serving.telemetry.output import JsonOutput, Output, pieces_of

MANY = 2 * module.MAX_PENDING // 1000
LINE = "x" * 999 + "\n"
SERVER = [sys.executable, "-m", "torch_serving"]


class Talk(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("the model says", 1)
        warnings.warn("the model warns", stacklevel=2)
        return x


@pytest.fixture
def talking_root(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    root.mkdir()
    torch.jit.script(Talk()).save(root / "talk.pt")
    return root


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read_lines(reader: int, lines: int) -> list[str]:
    data = b""
    while data.count(b"\n") < lines:
        data += os.read(reader, 1 << 16)
    return data.decode().splitlines()


def test_lines_arrive_whole_and_in_their_order(pipe: tuple[int, int]):
    output = Output(pipe[1], "stdout")
    for part in ("one\ntw", "o\n", "", "three", "\n", "four"):  # whatever the pieces
        output.write(part)
    output.drain()
    assert os.read(pipe[0], 4096) == b"one\ntwo\nthree\nfour"


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_that_nobody_reads_loses_lines_and_is_written_again(
    pipe: tuple[int, int], blocking: bool, caplog: pytest.LogCaptureFixture
):
    os.set_blocking(pipe[1], blocking)
    output, dropped = Output(pipe[1], "stdout"), []
    for _ in range(MANY):
        output.write(LINE)  # none of them waits
    output.drain(0)
    output.count_dropped(dropped.append)
    (lost,) = dropped
    assert 0 < lost < MANY
    assert read_lines(pipe[0], MANY - lost) == [LINE.strip()] * (MANY - lost)
    output.drain(LIMIT_S)
    assert [each.getMessage() for each in caplog.records] == [
        f"{lost} lines of stdout were dropped"
    ]
    output.write("again\n")
    assert read_lines(pipe[0], 1) == ["again"]
    output.drain(LIMIT_S)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/dev/full", "No space left on device"), ("/dev/null", "Bad file descriptor")],
)
def test_a_broken_output_is_told_once(path: str, reason: str, caplog: pytest.LogCaptureFixture):
    descriptor = os.open(path, os.O_WRONLY if path == "/dev/full" else os.O_RDONLY)
    output, dropped = Output(descriptor, "stdout"), []
    output.count_dropped(dropped.append)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            output.write("a\nb\n")
            output.drain(LIMIT_S)
    os.close(descriptor)
    assert [each.getMessage() for each in caplog.records] == [f"stdout is not written: {reason}"]
    assert sum(dropped) == 6


def test_a_reader_that_is_gone(caplog: pytest.LogCaptureFixture):
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(writer, "stderr")
    with caplog.at_level(logging.ERROR):
        output.write("a\n")
        output.drain(LIMIT_S)
    os.close(writer)
    assert [each.getMessage() for each in caplog.records] == ["stderr is not written: Broken pipe"]


def test_lines_are_dropped_where_no_thread_is_left(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    output, dropped = Output(pipe[1], "stdout"), []
    output.count_dropped(dropped.append)
    with monkeypatch.context() as patch:
        patch.setattr(module._thread, "start_new_thread", refuse)
        output.write("lost\n")
    output.write("kept\n")
    output.drain(LIMIT_S)
    assert (dropped, os.read(pipe[0], 4096)) == ([1], b"kept\n")


def test_what_waits_at_a_fork_is_written_by_the_parent_only(pipe: tuple[int, int]):
    output = Output(pipe[1], "stdout")
    output.write("begun")
    child = os.fork()
    if child == 0:
        output.write("child\n")
        output.drain(LIMIT_S)
        os._exit(0)
    os.waitpid(child, 0)
    output.write("\n")
    output.drain(LIMIT_S)
    assert os.read(pipe[0], 4096) == b"child\nbegun\n"


def test_prints_become_records(pipe: tuple[int, int]):
    stream = JsonOutput(Output(pipe[1], "stdout"), JsonLines(logging.INFO, "stdout"))
    print("one", 'tw"o', file=stream)
    print("two\n\nlines \ud800", end="", file=stream)
    stream.output.write('{"ready": 1}\n')
    stream.drain(LIMIT_S)
    found = [json.loads(line) for line in os.read(pipe[0], 4096).splitlines()]
    assert [each.get("message") for each in found] == ['one tw"o', "two", None, "lines \ud800"]
    assert found[0] | {"time": ""} == {
        "time": "", "level": "INFO", "logger": "stdout", "pid": os.getpid(),
        "message": 'one tw"o',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "lengths"),
    [
        (b"", []),
        (b"a\nb\n", [4]),
        (b"a" * 4095 + b"\nb\n", [4096, 2]),
        (b"a" * 4096 + b"\nb\n", [4097, 2]),
        (b"ab\n" * 2000, [4095, 1905]),
        (b"a" * 5000, [5000]),
    ],
)
def test_pieces_end_with_a_line(data: bytes, lengths: list[int]):
    pieces = pieces_of(data)
    assert [len(each) for each in pieces] == lengths
    assert b"".join(pieces) == data


def test_times_are_universal():
    assert rfc3339(1500) == "1970-01-01T00:00:01.500Z"
    assert rfc3339(1764307465999) == "2025-11-28T05:24:25.999Z"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_everything_is_one_object_a_line(
    talking_root: Path, start: Callable[..., Process], workers: str
):
    process = start(talking_root, "--port", "0", "--log-format", "json", "--workers", workers)
    wait_until(lambda: "\n" in process.stdout)
    url = json.loads(process.stdout.splitlines()[0])["message"].split(" on ")[1].split()[0]
    with Client(url) as client:
        assert client.post("talk.pt", [tensor([1], [1.0])]).status == 200
    process.signal()
    assert process.exit_code() == 0
    records = [json.loads(line) for line in (process.stdout + process.stderr).splitlines()]
    for record in records:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", record["time"])
        assert {"level", "logger", "pid"} <= record.keys()
    messages = [each.get("message", "") for each in records]
    assert "the model says 1" in messages
    assert any("UserWarning: the model warns" in each for each in messages)
    assert any(each["logger"] == "torch_serving.access" for each in records)


@pytest.mark.server
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>&1", ""])
def test_it_serves_and_ends_whatever_its_output(
    talking_root: Path, tmp_path: Path, redirection: str
):
    path = tmp_path / "s"
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *SERVER, talking_root, "--uds", path],
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    url = f"unix:{path}"
    try:
        wait_until(lambda: is_ready(url))
        with Client(url) as client:
            assert client.post("talk.pt", [tensor([1], [1.0])]).status == 200
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait(LIMIT_S)


def is_ready(url: str) -> bool:
    try:
        with Client(url) as client:
            return client.get("/ready").status == 200
    except OSError:
        return False


@pytest.mark.server
def test_a_pipe_that_nobody_reads_stops_neither_requests_nor_the_end(
    talking_root: Path, pipe: tuple[int, int]
):
    process = subprocess.Popen(
        [*SERVER, str(talking_root), "--port", "0", "--workers", "2"],
        stdout=pipe[1],
        stderr=subprocess.STDOUT,
    )
    try:
        line = ""
        while not re.search(r" on http://\S+ ", line):
            line += os.read(pipe[0], 4096).decode()
        os.set_blocking(pipe[1], False)
        with open(pipe[1], "wb", buffering=0, closefd=False) as full:
            while full.write(b"\n" * 4096):
                pass
        os.set_blocking(pipe[1], True)
        url = "http" + line.split(" on http")[1].split()[0]
        with Client(url) as client:
            for _ in range(2 * module.MAX_PENDING // 300):
                client.get("/healthcheck?" + "x" * 300)
            for _ in range(3):
                assert client.post("talk.pt", [tensor([1], [1.0])]).status == 200
        metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
        assert re.search(r'torch_serving_log_dropped_total\{worker="\d"\} [1-9]', metrics)
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait(LIMIT_S)

"""What the log says at `info` of workers, models, reloads, and of the end."""

import json
import logging
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, RawConnection, tensor, with_length
from tests.support.fetch import fetch
from tests.support.process import Process, child_pids, wait_until
from tests.support.servables import save_adding
from torch_serving.server.ipc.first_reports import REMEMBERED, FirstReports
from torch_serving.telemetry.log_lines import TextFormatter

CRASHING = "/serve?servable_identifier=crashing.pt"
X = [tensor([1], [1.0])]
BEGIN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO \d+ torch_serving\.[\w.]+: "


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("one.pt", "two.pt"):
        save_adding(folder / name, 1)
    return folder


def said(process: Process, words: str) -> int:
    """How many lines at `info` say this."""
    return len(re.findall(f"{BEGIN}{words}$", process.stderr, re.MULTILINE))


def wait_for(process: Process, words: str, count: int = 1) -> None:
    wait_until(lambda: said(process, words) >= count)
    assert said(process, words) == count


def test_from_the_start_to_the_end(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--workers", "2")
    wait_for(process, r"worker \d is ready \(process \d+\)", 2)
    assert process.url
    process.signal(signal.SIGINT)
    assert process.exit_code() == 0
    assert said(process, "SIGINT: the server stops when its requests are done") == 1
    assert said(process, "stopping: 0 requests are under way") == 2
    assert said(process, r"worker \d has ended \(exit code 0\)") == 2
    assert said(process, "stopped") == 1


def test_loads_and_what_leaves_memory(root: Path, start: Callable[..., Process]):
    flags = ["--model-capacity", "1", "--buffer-size", "0", "--preload", "one.pt"]
    process = start(root, "--port", "0", *flags)
    loaded = r"loaded %s on cpu in \d+\.\d\d s \(version [0-9a-f]{12}, \d+ bytes, as TorchScript\)"
    with Client(process.url) as client:
        wait_for(process, loaded % "one.pt")
        assert client.post("two.pt", X).status == 200
        wait_for(process, loaded % "two.pt")
        wait_for(process, "unloaded one.pt from cpu: evicted to make room for two.pt")
        save_adding(root / "two.pt", 2)
        assert client.post("two.pt", X).result == tensor([1], [3.0])
        wait_for(process, loaded % "two.pt", 2)
        assert fetch(process.url, "/models/two.pt", method="DELETE")[0] == 200
    wait_for(process, "unloaded two.pt from cpu: as requested")
    assert said(process, "unloaded .*") == 2


def test_a_reload(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--preload", "one.pt")
    assert process.url
    process.signal(signal.SIGHUP)
    wait_for(process, "reloaded")
    assert said(process, "SIGHUP: reloading") == 1
    assert said(process, "loaded one.pt on cpu in .*") == 2  # at the start, and now


def test_what_all_workers_see_is_told_once(root: Path, start: Callable[..., Process]):
    process = start(root, "--port", "0", "--workers", "2", "--watch")
    assert fetch(process.url, "/models/one.pt/load", method="POST")[0] == 200
    wait_for(process, "loaded one.pt .*", 2)
    assert len(child_pids(process)) >= 2
    save_adding(root / "one.pt", 2)
    wait_for(process, "loaded one.pt .*", 4)
    assert said(process, "one.pt has changed: loading it") == 1
    (root / "one.new").write_bytes(b"no model")
    os.replace(root / "one.new", root / "one.pt")
    wait_until(lambda: "the new file is not served" in process.stderr)
    (root / "one.pt").unlink()
    wait_for(process, "one.pt is gone")
    process.signal()
    assert process.exit_code() == 0
    assert process.stderr.count("the new file is not served") == 1
    assert said(process, "one.pt is gone") == 1


def test_news_is_what_no_process_has_told_before():
    reports = FirstReports()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if reports.is_first("a") and not reports.is_first("a") else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert not reports.is_first("a")
    assert reports.is_first("b")
    for each in range(REMEMBERED):
        assert reports.is_first(str(each))
    assert reports.is_first("a")  # forgotten by now


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_log_has_where_a_worker_crashed(
    model_root: Path, start: Callable[..., Process], log_format: str
):
    """Also where Python was told to report crashes itself, which would not be JSON."""
    flags = ["--no-trial-load", "--log-format", log_format]
    process = start(model_root, "--port", "0", *flags, PYTHONFAULTHANDLER="1")
    wait_until(lambda: " on http://" in process.stdout)
    url = process.stdout.split(" on ")[1].split()[0]
    with RawConnection(url) as connection:
        connection.send(with_length(b'[{"type":"tensor","value":[1]}]', CRASHING))
        assert connection.response() is None
    wait_until(lambda: "worker 0 died (signal SIGSEGV)" in process.stderr)
    assert "worker 0 crashed in: Current thread 0x" in process.stderr
    lines = process.stderr.splitlines()
    if log_format == "json":
        assert all("time" in json.loads(line) for line in lines)
    else:
        assert all(re.match(r"\d{4}-|    ", line) for line in lines)


def test_a_message_can_t_pass_for_another_line():
    record = logging.makeLogRecord({"msg": "one\n2026-01-01T00:00:00.000Z INFO\x1b[31m\rx"})
    first, second = TextFormatter().format(record).split("\n")
    assert first.endswith(": one")
    assert second == r"    2026-01-01T00:00:00.000Z INFO\x1b[31m\rx"

"""Overload and deadlines as clients of a server see them."""

import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.client import (
    LIMIT_S,
    Client,
    RawConnection,
    in_threads,
    scalar,
    string,
    tensor,
    warm_up,
    with_length,
)
from tests.support.gate import GATED
from tests.support.process import ROOT, Process, wait_until
from tests.support.servables import scripted

X = [tensor([1], [1.0])]
SLOW = "/serve?servable_identifier=slow.pt"
ENDLESS = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1000000000000}]'


class Gate(NamedTuple):
    """A server with one thread, whose model waits until `file` exists."""

    process: Process
    file: Path

    def ask(self, count: int, refused: int) -> list[int]:
        """Send requests at once, and let those go on that wait, once so many are refused."""
        refusals: list[int] = []
        body = [*X, string(str(self.file))]

        def ask_one(number: int) -> int:
            with Client(self.process.url) as client:
                response = client.post("gated.pt", body)
                if response.status == 503:
                    assert response.document["description"] == "Server overloaded"
                    assert response.headers["retry-after"] == "1"
                    assert client.get("/healthcheck").status == 200
                    refusals.append(number)
                    if len(refusals) == refused:
                        self.file.touch()
                return response.status

        return sorted(in_threads(count, ask_one))


@pytest.fixture
def start_gate(tmp_path: Path, start: Callable[..., Process]) -> Callable[..., Gate]:
    def start_gate(*flags: str) -> Gate:
        gate, root = tmp_path / "gate", tmp_path / "models"
        root.mkdir()
        scripted(*GATED).save(root / "gated.pt")
        flags = (*flags, "--preload", "gated.pt", "--import", "tests.support.gate")
        return Gate(
            start(root, "--port", "0", "--threads", "1", *flags, PYTHONPATH=str(ROOT)), gate
        )

    return start_gate


def test_overload_over_http(start_gate: Callable[..., Gate]):
    gate = start_gate("--queue", "2")
    assert gate.ask(8, refused=5) == [200] * 3 + [503] * 5
    assert gate.ask(1, refused=0) == [200]


def test_a_deadline_over_http(uvicorn_server: Process, slow_body: bytes):
    def post(milliseconds: str) -> Any:
        with RawConnection(uvicorn_server.url) as connection:
            head, end, body = with_length(slow_body, SLOW).partition(b"\r\n\r\n")
            header = f"\r\nX-Request-Timeout-Ms: {milliseconds}".encode()
            connection.send(head + header + end + body)
            return connection.response()

    response = post("50")
    assert (response.status, response.document["description"]) == (504, "Deadline exceeded")
    assert post("60000").result == tensor([1], [2.5])
    for wrong in ("0", "-1", "1.5", "soon", "9" * 50):
        response = post(wrong)
        assert (response.status, response.document["description"]) == (400, "Invalid parameter")


def test_a_model_that_does_not_end_costs_a_worker(model_root: Path, start: Callable[..., Process]):
    flags = ["--request-timeout", "3", "--shutdown-timeout", "1", "--threads", "2"]
    flags += ["--preload", "slow.pt", "--preload", "echo.pt"]  # a load would take of the deadline
    process = start(model_root, "--port", "0", *flags)
    url = process.url
    with Client(url) as client:
        response = client.post("slow.pt", ENDLESS)
        assert response.status == 504
        assert client.post("echo.pt", [{"type": "tensor", "value": [1]}]).status == 200
    wait_until(lambda: "a model does not end: slow.pt" in process.stderr)
    wait_until(lambda: "worker 0 has failed" in process.stderr)
    with Client(url) as client:
        assert client.post("slow.pt", [tensor([1], [1.0]), scalar(1, "int")]).status == 200
    process.signal()
    assert process.exit_code() == 0


def test_a_client_that_goes_away_does_not_hold_up_others(
    model_root: Path, start: Callable[..., Process], slow_body: bytes
):
    process = start(model_root, "--port", "0", "--threads", "1")
    warm_up(process.url)
    request = with_length(slow_body, SLOW)
    with RawConnection(process.url) as first:
        first.send(request)
        for _ in range(20):
            with RawConnection(process.url) as gone:
                gone.send(request)
        assert first.response().result == tensor([1], [2.5])
    with Client(process.url) as client:
        before = process.stdout.count(" 499 ")
        assert client.post("echo.pt", [{"type": "tensor", "value": [1]}]).status == 200
    wait_until(lambda: process.stdout.count(" 499 ") >= 20 or before >= 20)


def test_refusals_leave_nothing_behind(start_gate: Callable[..., Gate]):
    """They are counted for their model, and a stop does not wait for them."""
    gate = start_gate("--queue", "1", "--shutdown-timeout", "60")
    assert gate.ask(10, refused=8) == [200] * 2 + [503] * 8
    process = gate.process
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=LIMIT_S) as response:
        metrics = response.read().decode()
    labels = 'code="503",method="forward",model="gated.pt"'
    assert re.search(rf"requests_total{{{labels}}} 8.0", metrics), metrics
    process.signal()
    assert process.exit_code() == 0
    assert process.problems == ""  # no task had to be cancelled

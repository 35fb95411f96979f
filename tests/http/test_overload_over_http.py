"""Overload and deadlines as clients of a server see them."""

import re
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.client import (
    LIMIT_S,
    Client,
    RawConnection,
    in_threads,
    scalar,
    tensor,
    warm_up,
    with_length,
)
from tests.support.process import Process, wait_until

SLOW = "/serve?servable_identifier=slow.pt"
ENDLESS = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1000000000000}]'


def test_overload_over_http(model_root: Path, start: Callable[..., Process], brief_body: bytes):
    process = start(model_root, "--port", "0", "--threads", "1", "--queue", "2")
    url = process.url
    warm_up(url)

    def ask(client: int) -> int:
        with Client(url) as connection:
            response = connection.post("slow.pt", brief_body)
            if response.status == 503:
                assert response.document["description"] == "Server overloaded"
                assert response.headers["retry-after"] == "1"
                assert connection.get("/healthcheck").status == 200
            return response.status

    ask(0)
    statuses = in_threads(8, ask)
    assert statuses.count(200) >= 3
    assert set(statuses) == {200, 503}
    assert ask(0) == 200


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
    flags = ["--request-timeout", "1", "--shutdown-timeout", "1", "--threads", "2"]
    process = start(model_root, "--port", "0", "--preload", "echo.pt", *flags)
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


def test_refusals_leave_nothing_behind(
    model_root: Path, start: Callable[..., Process], slow_body: bytes
):
    """They are counted for their model, and a stop does not wait for them."""
    flags = ["--threads", "1", "--queue", "1", "--shutdown-timeout", "60", "--preload", "slow.pt"]
    process = start(model_root, "--port", "0", *flags)
    warm_up(process.url)
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(process.url)) for _ in range(10)]
        for connection in connections:
            connection.send(with_length(slow_body, SLOW))
        statuses = sorted(connection.response().status for connection in connections)
    assert statuses == [200, 200] + [503] * 8
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=LIMIT_S) as response:
        metrics = response.read().decode()
    labels = 'code="503",method="forward",model="slow.pt"'
    assert re.search(rf"requests_total{{{labels}}} 8.0", metrics), metrics
    process.signal()
    assert process.exit_code() == 0
    assert process.problems == ""  # no task had to be cancelled

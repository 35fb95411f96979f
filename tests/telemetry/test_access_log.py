"""Which responses have a line in the access log."""

import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import LIMIT_S, Client
from tests.support.process import Process, wait_until


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        ("debug", ["/ready 200", "/v2/health/ready 200", "/healthcheck 200", "/ready?a=b 200"]),
        ("info", ["/healthcheck 200", "/ready?a=b 200"]),
        ("warning", []),
    ],
)
def test_that_a_server_is_ready_is_no_news(
    level: str, logged: list[str], model_root: Path, start: Callable[..., Process]
):
    """Balancers ask every second."""
    server = start(model_root, "--port", "0", "--log-level", level)
    targets = ["/ready", "/v2/health/ready", "/healthcheck", "/ready?a=b"]
    for target in targets:
        with urllib.request.urlopen(f"{server.url}{target}", timeout=LIMIT_S) as response:
            assert response.status == 200
    server.signal()
    assert server.exit_code() == 0
    lines = [line for line in server.stdout.splitlines() if " GET " in line]
    assert [line.split(" GET ")[1].rsplit(" ", 2)[0] for line in lines] == logged


def test_that_a_server_stops_is_news(model_root: Path, start: Callable[..., Process]):
    server = start(model_root, "--port", "0", "--drain-delay", "1000")
    with Client(server.url) as client:
        server.signal()
        wait_until(lambda: client.get("/ready").status == 503)
    wait_until(lambda: "GET /ready 503" in server.stdout)

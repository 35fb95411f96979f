"""Each request has a name, the client's or the server's, in the response and in the log."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, RawConnection, Response, raw_request, tensor
from tests.support.process import Process, wait_until

X = [tensor([1], [1.0])]


@pytest.fixture(scope="module")
def process(model_root: Path, start_for_module: Callable[..., Process]) -> Process:
    return start_for_module(
        model_root, "--port", "0", "--log-format", "json", "--body-timeout", "1"
    )


@pytest.fixture(scope="module")
def url(process: Process) -> str:
    wait_until(lambda: "\n" in process.stdout)
    message = json.loads(process.stdout.splitlines()[0])["message"]
    return message.split(" on ")[1].split()[0]


def id_of(response: Response) -> str:
    (found,) = response.headers.get_all("x-request-id")
    return found


@pytest.mark.parametrize("name", ["a", "8d3e-4/5+6=:@{~}", "x" * 128])
def test_a_client_s_name_comes_back(url: str, process: Process, name: str):
    with Client(url) as client:
        assert id_of(client.post("echo.pt", X, {"X-Request-Id": name})) == name
        assert id_of(client.post("none.pt", X, {"X-Request-Id": name})) == name
        assert id_of(client.post("echo.pt", X)) != name
    wait_until(lambda: process.stdout.count(f'"request_id": "{name}"') == 2)


@pytest.mark.parametrize("name", ["", "x" * 129, "a b", "a\tb", "ä", "\x7f"])
def test_names_that_no_header_or_log_should_hold(url: str, name: str):
    with Client(url) as client:
        found = id_of(client.post("echo.pt", X, {"X-Request-Id": name.encode("latin-1")}))
    assert found != name
    assert found.isprintable()


def test_the_server_s_names_are_all_different(url: str):
    with Client(url) as client:
        names = [id_of(client.get("/healthcheck")) for _ in range(20)]
    for data in (b"no http\r\n\r\n", raw_request(b"[", "Content-Length: 10")):
        with RawConnection(url) as connection:
            connection.send(data)
            names.append(id_of(connection.response()))
    assert len(set(names)) == 22


def test_the_log_is_one_object_a_line(url: str, process: Process):
    with Client(url) as client:
        client.post("no\n\x1bsuch.pt", X)
    wait_until(lambda: "such.pt" in process.stdout)
    for line in process.stdout.splitlines()[1:]:
        entry = json.loads(line)
        assert set(entry) == {
            *("time", "level", "logger", "pid"),
            *("client", "method", "url", "status", "elapsed_ms", "request_id"),
            *(["reason"] if entry["status"] >= 400 else []),
        }
    assert entry["method"] == "POST"
    assert entry["status"] == 400


def test_what_else_is_logged_is_json_too(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--host", "0.0.0.0", "--log-format", "json")
    wait_until(lambda: "--api-key-file asks for a key" in process.stderr)
    entry = json.loads(process.stderr.splitlines()[0])
    assert entry["level"] == "WARNING"

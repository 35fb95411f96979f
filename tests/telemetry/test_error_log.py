"""The line of a response with an error says why: the same as the client read, in one line."""

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client, RawConnection, raw_request, tensor
from tests.support.process import Process, wait_until
from torch_serving.http.error_responses import error_response
from torch_serving.telemetry.access_log import MAX_REASON, AccessLog
from torch_serving.telemetry.rate_limit import RateLimit

SERVE = "/serve?servable_identifier="
V2 = "/v2/models"
KEY = "0123456789abcdef"
ECHO = json.dumps([tensor([1], [1.0])]).encode()
RAISING = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1,"data_type":"int"}]'
HUGE = "Content-Length: 1000000"
ENDLESS = b'[{"type":"tensor","value":[1]},{"type":"scalar","value":1000000000000}]'


@pytest.fixture(scope="module")
def process(
    model_root: Path,
    start_for_module: Callable[..., Process],
    tmp_path_factory: pytest.TempPathFactory,
) -> Process:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY)
    flags = ["--body-timeout", "1", "--max-body", "100KiB", "--log-format", "json"]
    return start_for_module(model_root, "--port", "0", "--api-key-file", keys, *flags)


@pytest.fixture(scope="module")
def url(process: Process) -> str:
    wait_until(lambda: "\n" in process.stdout)
    message = json.loads(process.stdout.splitlines()[0])["message"]
    return message.split(" on ")[1].split()[0]


def entries_of(process: Process) -> list[dict[str, Any]]:
    lines = process.stdout.splitlines()
    return [entry for entry in map(json.loads, lines) if "request_id" in entry]


def entry_of(process: Process, request_id: str) -> dict[str, Any]:
    """The only line of a request."""
    wait_until(lambda: request_id in process.stdout)
    (entry,) = [each for each in entries_of(process) if each["request_id"] == request_id]
    return entry


@pytest.mark.parametrize(
    ("status", "method", "target", "body"),
    [
        (500, "POST", f"{SERVE}raising.pt", RAISING),  # on the fast path
        (400, "POST", f"{SERVE}echo.pt", b"["),
        (400, "POST", f"{SERVE}echo.pt&device=tpu", ECHO),  # in the application
        (400, "POST", f"{SERVE}none.pt", ECHO),
        (400, "POST", f"{SERVE}random.pt", ECHO),
        (400, "POST", f"{SERVE}echo.pt", b""),
        (413, "POST", f"{SERVE}echo.pt", b"[" + b" " * 200_000),
        (400, "POST", f"{V2}/echo.pt/infer", b"{"),
        (400, "POST", f"{V2}/none.pt/infer", b"{}"),
        (404, "GET", "/nowhere", b""),
        (405, "PUT", "/serve", b""),
        (400, "GET", "/models/none.pt", b""),
        (400, "POST", "/models/none.pt/load", b""),
        (400, "DELETE", "/models/none.pt", b""),
        (504, "POST", f"{SERVE}slow.pt", ENDLESS),
    ],
)
def test_a_response_has_its_reason_in_the_log(
    process: Process, url: str, status: int, method: str, target: str, body: bytes
):
    headers = {"Authorization": f"Bearer {KEY}"}
    if status == 504:
        headers["X-Request-Timeout-Ms"] = "1"
    lines = [f"{name}: {value}" for name, value in headers.items()]
    with RawConnection(url) as connection:
        length = [f"Content-Length: {len(body)}"] if body or method == "POST" else []
        connection.send(raw_request(body, *lines, *length, method=method, target=target))
        check(process, connection, status)


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        (401, raw_request(ECHO, f"Content-Length: {len(ECHO)}", target=f"{SERVE}echo.pt")),
        (413, raw_request(b"[", HUGE, f"X-Api-Key: {KEY}", target=f"{SERVE}echo.pt")),
        (408, raw_request(b"[", "Content-Length: 10", f"X-Api-Key: {KEY}")),
        (431, raw_request(b"", "X-Long: " + "x" * 70_000, target=f"{SERVE}echo.pt")),
        (400, b"no http\r\n\r\n"),
    ],
)
def test_so_has_what_the_connection_rejects(
    process: Process, url: str, status: int, request_bytes: bytes
):
    with RawConnection(url) as connection:
        connection.send(request_bytes)
        check(process, connection, status)


def check(process: Process, connection: RawConnection, status: int) -> None:
    assert int(connection.line().split()[1]) == status
    lines = iter(lambda: connection.line().decode().strip(), "")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    document = json.loads(connection.read(int(headers["content-length"])))
    entry = entry_of(process, headers["x-request-id"])
    detail = f": {document['detail']}" if "detail" in document else ""
    assert entry["reason"] == document.get("error", f"{document.get('description')}{detail}")
    assert entry["status"] == status
    assert entry["level"] == ("INFO" if status < 500 else "WARNING")


def test_a_client_that_is_gone(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0")
    with RawConnection(process.url) as connection:
        connection.send(raw_request(b"[", "Content-Length: 10", "X-Request-Id: gone"))
    wait_until(lambda: " gone the client closed the connection\n" in process.stdout)


def test_no_reason_where_there_is_no_error(process: Process, url: str):
    with Client(url) as client:
        headers = {"X-Request-Id": "good", "X-Api-Key": KEY}
        assert client.post("echo.pt", ECHO, headers).status == 200
    assert "reason" not in entry_of(process, "good")


@pytest.mark.parametrize(("level", "lines"), [("warning", [" 500 "]), ("error", [])])
def test_above_info_only_what_the_server_is_to_blame_for(
    model_root: Path, start: Callable[..., Process], level: str, lines: list[str]
):
    process = start(model_root, "--port", "0", "--log-level", level)
    with Client(process.url) as client:
        assert client.post("raising.pt", RAISING).status == 500
        assert client.post("raising.pt", b"[").status == 400
        assert client.post("echo.pt", ECHO).status == 200
    process.signal()
    assert process.exit_code() == 0
    found = process.stdout.splitlines()[1:]
    assert len(found) == len(lines)
    assert all(part in line for part, line in zip(lines, found, strict=True))


@pytest.mark.parametrize(
    ("reason", "logged"),
    [
        ("one\ntwo\r\x1b[31m\u2028", r"one\ntwo\r\x1b[31m\u2028"),
        ("x" * MAX_REASON, "x" * MAX_REASON),
        ("x" * (MAX_REASON + 1), "x" * MAX_REASON + "…"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_reason_is_one_short_line(reason: str, logged: str, as_json: bool):
    log = io.StringIO()
    AccessLog(log, as_json).write("1.2.3.4", "GET", "/", 400, 0.001, "id", reason)
    line = log.getvalue()
    assert line.count("\n") == 1
    found = json.loads(line)["reason"] if as_json else line.strip().partition(" id ")[2]
    assert found == logged


def test_an_unexpected_error_is_told_to_the_log_only():
    response = error_response("/serve", ValueError("a secret"))
    assert b"secret" not in response.body
    assert response.failure == ("unexpected_error", "Unexpected server error: ValueError: a secret")


def test_records_of_a_flood_are_left_out(caplog: pytest.LogCaptureFixture):
    now_s = 0.0
    logger = logging.getLogger("flooded")
    limit = RateLimit(2, lambda: now_s)
    logger.addFilter(limit)
    try:
        for each in range(5):
            logger.warning("number %d", each)
        now_s = 1.0
        logger.warning("number %d", 5)
        logger.warning("number %d", 6)
    finally:
        logger.removeFilter(limit)
    assert [each.getMessage() for each in caplog.records] == [
        "number 0",
        "number 1",
        "number 5 (3 records like this were left out)",
        "number 6",
    ]

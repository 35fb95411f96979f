"""What is tried again, and when: against a server that does as it is told."""

import gzip
import json
import time
import zlib
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.client.scripted_server import (
    OK,
    Act,
    ScriptedServer,
    answer,
    dripping,
    error,
    reset,
    silence,
)
from torch_serving.client import (
    Client,
    DeadlineExceeded,
    InvalidResponse,
    ServingError,
    Unavailable,
    Unreachable,
    exchange,
)

X = np.ones(3, np.float32)
LARGE = np.zeros(8 << 20, np.uint8)  # more than sockets hold
BUSY = error(503, "Server overloaded", "the queue is full", Retry_After="0")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of clients, which take no time."""
    taken: list[float] = []
    monkeypatch.setattr("torch_serving.client.client.time.sleep", taken.append)
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    return taken


def call(server: ScriptedServer, *arguments: Any, **options: Any) -> Any:
    with Client(server.url, **options) as client:
        return client["m.pt"](*(arguments or (X,)))


@pytest.mark.parametrize(
    ("script", "repeatable", "tries", "expected"),
    [
        ([BUSY, BUSY], False, 3, None),
        ([BUSY] * 9, False, 4, Unavailable),
        ([error(429, "slow down", Retry_After="0")], False, 2, None),
        ([error(503, "Server shutting down")], False, 1, Unavailable),  # names no time
        ([error(503, "Out of memory", Retry_After="0")], False, 1, Unavailable),
        ([error(503, "Out of memory", Retry_After="0")], True, 2, None),
        ([error(503, "Device failed", Retry_After="0")], False, 1, Unavailable),
        ([answer(502, "<html>Bad Gateway")], False, 1, Unavailable),
        ([answer(502, "<html>Bad Gateway")], True, 2, None),
        ([answer(504, "")], True, 2, None),
        ([answer(503, "no server", Retry_After="0")], False, 2, None),
        ([error(504, "Deadline exceeded")], True, 1, DeadlineExceeded),
        ([error(500, "Inference failed")], True, 1, ServingError),
        ([answer(302, "", Location="http://elsewhere/")], True, 1, InvalidResponse),
        ([reset], False, 1, Unreachable),
        ([reset, reset], True, 3, None),
    ],
)
def test_what_is_tried_again(
    scripted: ScriptedServer,
    pauses: list[float],
    script: list[Act],
    repeatable: bool,
    tries: int,
    expected: type[ServingError] | None,
):
    scripted.script = list(script)
    if expected is None:
        assert call(scripted, repeatable=repeatable) is None
    else:
        with pytest.raises(expected):
            call(scripted, repeatable=repeatable)
    assert (len(scripted.requests), len(pauses)) == (tries, tries - 1)


def test_a_body_that_was_not_sent_whole_is_sent_again(
    scripted: ScriptedServer, pauses: list[float]
):
    scripted.reads_bodies = False
    scripted.script = [reset]

    def read_from_now_on(connection: Any, request: bytes) -> bool:
        left = LARGE.nbytes - len(request)
        while left > 0:
            left -= len(connection.recv(1 << 20))
        return answer(200, {"result": None, "code": 200, "message": "", "description": ""})(
            connection, request
        )

    scripted.script.append(read_from_now_on)
    assert call(scripted, LARGE) is None
    assert len(scripted.requests) == 2


def test_an_error_says_whether_the_model_may_have_run(scripted: ScriptedServer):
    scripted.script = [reset]
    with pytest.raises(Unreachable) as caught:
        call(scripted)
    assert caught.value.may_have_run
    with Client("http://127.0.0.1:1", retries=0) as client, pytest.raises(Unreachable) as caught:
        client["m.pt"](X)
    assert not caught.value.may_have_run


def test_pauses_grow_and_follow_the_server(scripted: ScriptedServer, pauses: list[float]):
    scripted.script = [error(503, "x", Retry_After=after) for after in ("0", "2", "0")]
    call(scripted)
    assert pauses == [0.1, 2.2, 0.4]


def test_a_date_to_try_again(scripted: ScriptedServer, pauses: list[float]):
    scripted.script = [
        error(503, "x", Retry_After=formatdate(time.time() + 30, usegmt=True)),
        error(503, "x", Retry_After=formatdate(time.time() - 30, usegmt=True)),
    ]
    call(scripted)
    assert 20 < pauses[0] < 31
    assert pauses[1] == 0.2


@pytest.mark.parametrize("value", ["soon", "-1", "", "1.5"])
def test_a_time_that_is_none(value: str):
    assert exchange.retry_after_s(value) is None


def test_no_pause_beyond_the_deadline(scripted: ScriptedServer, pauses: list[float]):
    scripted.script = [error(503, "Server overloaded", Retry_After="30")]
    with pytest.raises(Unavailable) as caught:
        call(scripted, timeout_s=20)
    assert caught.value.retry_after_s == 30
    assert pauses == []


def test_the_server_knows_the_time_that_is_left(scripted: ScriptedServer, pauses: list[float]):
    scripted.script = [BUSY]
    call(scripted, timeout_s=50)
    first, second = [int(scripted.header("X-Request-Timeout-Ms", at)) for at in (0, 1)]
    assert 0 < second <= first <= 50_000
    call(scripted, timeout_s=None)
    assert scripted.header("X-Request-Timeout-Ms") == ""


def test_a_server_that_says_nothing(scripted: ScriptedServer):
    scripted.script = [silence]
    with pytest.raises(DeadlineExceeded, match="no response within 1 s"):
        call(scripted, timeout_s=1)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_a_response_that_drips(scripted: ScriptedServer, head: bytes):
    scripted.script = [dripping(head)]
    with pytest.raises(DeadlineExceeded, match="no response within 1 s"):
        call(scripted, timeout_s=1)


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (401, "<html>", "Unauthorized"),
        (403, {"detail": "no"}, "Unauthorized"),
        (413, "<html><h1>413 Request Entity Too Large", "RequestTooLarge"),
        (400, {"description": 5, "detail": "x"}, "InvalidResponse"),
        (400, {"description": "no", "detail": [{"loc": ["x"]}]}, "InvalidResponse"),
        (422, {"detail": [{"loc": ["x"]}]}, "InvalidResponse"),
        (302, "", "InvalidResponse"),
        (500, {"description": None}, "InvalidResponse"),
        (502, "<html>", "Proxied"),
    ],
)
def test_errors_of_a_proxy(scripted: ScriptedServer, status: int, document: Any, kind: str):
    scripted.script = [answer(status, document)]
    with pytest.raises(ServingError) as caught:
        call(scripted)
    assert type(caught.value).__name__ == kind
    assert caught.value.status == status
    assert (caught.value.pointer, caught.value.argument) == ("", "")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_response_that_a_proxy_compressed(scripted: ScriptedServer, coding: str):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[coding]
    scripted.script = [answer(200, pack(json.dumps(OK).encode()), Content_Encoding=coding)]
    assert call(scripted) is None
    scripted.script = [answer(200, b"packed?", Content_Encoding=coding)]
    with pytest.raises(InvalidResponse):
        call(scripted)


def test_management_is_tried_again(scripted: ScriptedServer, pauses: list[float]):
    scripted.script = [reset, BUSY, answer(200, {"models": []})]
    with Client(scripted.url) as client:
        assert client.models() == []
    assert len(scripted.requests) == 3


@pytest.mark.parametrize("body", ["", "[", "null", "<html>", '{"result": 1}', '{"code": 200}'])
def test_a_response_of_something_else(scripted: ScriptedServer, body: str):
    scripted.script = [answer(200, body)]
    with pytest.raises(InvalidResponse):
        call(scripted)


@pytest.fixture
def clock(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time of calls go on in pauses alone."""
    now_s = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: now_s + sum(pauses), time=time.time)
    monkeypatch.setattr(exchange, "time", clock)


@pytest.mark.usefixtures("clock")
def test_not_ready_in_time(scripted: ScriptedServer):
    scripted.script = [error(503, "Server shutting down")] * 1000
    with Client(scripted.url) as client:
        with pytest.raises(DeadlineExceeded, match=r"Not ready: after 60 s: Server shutting"):
            client.wait_until_ready(60)
        scripted.script = []
        client.wait_until_ready()


@pytest.mark.usefixtures("clock")
def test_a_last_look_without_an_answer(scripted: ScriptedServer, pauses: list[float]):
    """The error has what was said before."""

    def after(seconds: float, act: Act) -> Act:
        return lambda *request: pauses.append(seconds) or act(*request)  # type: ignore[func-returns-value]

    scripted.script = [after(59.5, error(503, "Server shutting down")), after(1, silence)]
    with (
        Client(scripted.url) as client,
        pytest.raises(DeadlineExceeded, match=r"Not ready: after 60 s: Server shutting"),
    ):
        client.wait_until_ready(60)
    assert len(scripted.requests) == 2

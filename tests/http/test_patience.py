"""Clients that are slow, and requests that come before the response to the last (uvicorn)."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.client import (
    LIMIT_S,
    Client,
    RawConnection,
    chunked,
    raw_request,
    tensor,
    with_length,
)
from tests.support.process import Process

RESULT = tensor([2], [1, 2])
BODY = json.dumps([RESULT]).encode()
HEALTHCHECK = raw_request(method="GET", target="/healthcheck")
SLOW = "/serve?servable_identifier=slow.pt"


@pytest.fixture(scope="module")
def url(uvicorn_server: Process) -> str:
    return uvicorn_server.url


def dribble(connection: RawConnection, data: bytes, has_response: threading.Event) -> bool:
    """Send a byte every fifth of a second; return whether a response was there before the end."""
    for index in range(len(data)):
        connection.send(data[index : index + 1])
        if has_response.wait(0.2):
            return True
    return False


def test_a_silent_connection_is_closed(hasty_url: str):
    with RawConnection(hasty_url) as connection:
        assert connection.responses() == []


@pytest.mark.parametrize(
    "data",
    [b"P", HEALTHCHECK[:-1], with_length(BODY)[:30], with_length(BODY)[:-1], chunked(BODY)[:-1]],
)
def test_requests_that_stop(hasty_url: str, data: bytes):
    with RawConnection(hasty_url) as connection:
        connection.send(data)
        responses = connection.responses()
    assert [response.status for response in responses] == [408]
    assert responses[0].document["description"] == "Request timeout"
    assert responses[0].headers["connection"] == "close"
    with Client(hasty_url) as client:
        client.check()


@pytest.mark.parametrize(("whole", "slow"), [(b"", HEALTHCHECK), (with_length(BODY)[:-50], BODY)])
def test_requests_that_dribble(hasty_url: str, whole: bytes, slow: bytes):
    has_response = threading.Event()
    with RawConnection(hasty_url) as connection, ThreadPoolExecutor(1) as pool:
        connection.send(whole)
        dribbling = pool.submit(dribble, connection, slow[:25], has_response)
        responses = connection.responses()
        has_response.set()
        assert dribbling.result(LIMIT_S)
    assert [response.status for response in responses] == [408]


def test_a_slow_model_is_no_slow_client(hasty_url: str, slower_body: bytes):
    with RawConnection(hasty_url) as connection:
        connection.send(with_length(slower_body, SLOW))
        assert connection.response().result == tensor([1], [2.5])


def test_a_body_after_its_response_is_no_slow_body(model_root: Path, start: Callable[..., Process]):
    """The response did not need the body, so it comes first; nothing may follow it unasked."""
    url = start(model_root, "--port", "0", "--body-timeout", "5").url
    with RawConnection(url) as nowhere, RawConnection(url) as serve:
        targets = {"/nowhere": nowhere, "/serve": serve}
        for target, connection in targets.items():
            request = with_length(BODY, target)
            connection.send(request[:-10])
            assert connection.response().status in (400, 404)
            connection.send(request[-10:])
        threading.Event().wait(5.5)
        for connection in targets.values():
            connection.send(HEALTHCHECK)
            response = connection.response()
            assert response is not None
            assert response.document == {"code": 200, "message": "OK", "description": "OK"}


def test_a_body_that_stops_after_its_response_gets_no_second_response(hasty_url: str):
    request = with_length(BODY, "/nowhere")
    with RawConnection(hasty_url) as connection:
        connection.send(request[:-10])
        assert connection.response().status == 404
        connection.send(request[-10:-1])
        assert connection.responses() == []


def test_connections_are_kept(url: str):
    with RawConnection(url) as connection:
        for request in (with_length(BODY), chunked(BODY)) * 20:
            connection.send(request)
            assert connection.response().result == RESULT


@pytest.mark.parametrize(
    "request_",
    [
        raw_request(BODY, f"Content-Length: {len(BODY)}", "Connection: close"),
        with_length(BODY).replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_connections_are_closed_where_the_client_asks_for_it(url: str, request_: bytes):
    with RawConnection(url) as connection:
        connection.send(request_)
        assert [response.result for response in connection.responses()] == [RESULT]


def test_pipelined_requests_get_responses_in_order(url: str, brief_body: bytes):
    tensors = [tensor([1], [index]) for index in range(20)]
    bodies = [json.dumps([each]).encode() for each in tensors]
    with RawConnection(url) as connection:
        connection.send(with_length(brief_body, SLOW))
        for index, body in enumerate(bodies):
            connection.send(with_length(body) if index % 2 else chunked(body))
        connection.send(with_length(b"{"))
        connection.send(HEALTHCHECK)
        assert connection.response().result == tensor([1], [2.5])
        assert [connection.response().result for _ in tensors] == tensors
        assert connection.response().document["description"] == "Invalid JSON"
        assert connection.response().document["description"] == "OK"


@pytest.mark.parametrize(
    "bad",
    [
        b"no http\r\n\r\n",
        raw_request(b"", "Content-Length: x"),
        raw_request(b"zz\r\n", "Transfer-Encoding: chunked"),
        raw_request(b"5\r\n[1,2]3", "Transfer-Encoding: chunked"),
        raw_request(b"", *[f"X-{index}: {'a' * 1000}" for index in range(100)]),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_an_error_never_replaces_an_earlier_response(
    url: str, brief_body: bytes, bad: bytes, together: bool
):
    first = with_length(brief_body, SLOW)
    with RawConnection(url) as connection:
        connection.send(first + bad if together else first)
        if not together:
            with Client(url) as client:
                client.check()  # by now the first is running
            connection.send(bad)
        responses = connection.responses()
    assert responses[0].result == tensor([1], [2.5])
    assert [response.status for response in responses[1:]] in ([], [400], [431])


@pytest.mark.parametrize("next_", [HEALTHCHECK[:20], with_length(BODY)[:-1], chunked(BODY)[:-1]])
def test_a_slow_request_never_replaces_an_earlier_response(
    hasty_url: str, slower_body: bytes, next_: bytes
):
    with RawConnection(hasty_url) as connection:
        connection.send(with_length(slower_body, SLOW) + next_)
        responses = connection.responses()
    assert responses[0].result == tensor([1], [2.5])
    assert [response.status for response in responses[1:]] in ([], [408])


def test_the_end_of_a_large_body_does_not_count_as_head(url: str):
    value = [number / 4 for number in range(40_000)]
    body = json.dumps([tensor([40_000], value)]).encode()
    for _ in range(10):
        with RawConnection(url) as connection:
            connection.send(with_length(body) + HEALTHCHECK[:20])
            assert connection.response().result["value"] == value
            connection.send(HEALTHCHECK[20:])
            response = connection.response()
        assert response is not None
        assert response.document["description"] == "OK"


def test_a_body_that_arrives_too_slowly(model_root: Path, start: Callable[..., Process]):
    flags = ["--body-rate", "100", "--body-timeout", "60"]
    url = start(model_root, "--port", "0", *flags).url
    with RawConnection(url) as slow, Client(url) as client:
        slow.send(with_length(BODY)[:-20])
        responses = slow.responses()
        client.check()
    assert [response.status for response in responses] == [408]
    assert responses[0].document["detail"] == "the body arrived at less than 100 bytes a second"

"""Bytes that are no request, or not a whole one: no wrong response, and the server goes on."""

import http.client
import json
from urllib.parse import urlsplit

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
KIB = 1024


@pytest.fixture(scope="module")
def url(uvicorn_server: Process) -> str:
    return uvicorn_server.url


def check(url: str) -> None:
    with Client(url) as client:
        client.check()


@pytest.mark.parametrize("request_", [with_length(BODY), chunked(BODY[:20], BODY[20:])])
def test_requests_cut_at_every_byte(url: str, request_: bytes):
    for length in range(len(request_)):
        with RawConnection(url) as connection:
            connection.send(request_[:length])
            connection.half_close()
            assert [response.status for response in connection.responses()] in ([], [400])
    check(url)


@pytest.mark.parametrize("request_", [with_length(BODY), chunked(BODY[:20], BODY[20:])])
def test_requests_in_two_pieces(url: str, request_: bytes):
    with RawConnection(url) as connection:
        for length in range(1, len(request_), 3):
            connection.send(request_[:length])
            connection.send(request_[length:])
            assert connection.response().result == RESULT


def chunk_request(coded: bytes) -> bytes:
    return raw_request(coded, "Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    "request_",
    [
        raw_request(BODY, f"Content-Length: {len(BODY)}", "Content-Length: 3"),
        raw_request(BODY, "Content-Length: 3", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, f"Content-Length: {len(BODY)}, {len(BODY)}"),
        raw_request(BODY, f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"),
        raw_request(BODY, "Transfer-Encoding: chunked", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, "Content-Length: -1"),
        raw_request(BODY, "Content-Length: +5"),
        raw_request(BODY, "Content-Length: 0x10"),
        raw_request(BODY, "Content-Length: 99999999999999999999"),
        raw_request(BODY, "Content-Length: "),
        raw_request(BODY, "Transfer-Encoding: gzip"),
        raw_request(BODY, "Transfer-Encoding: chunked, gzip"),
        raw_request(BODY, "X: a\r\n folded", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, f"Content-Length : {len(BODY)}"),
        raw_request(BODY, f" Content-Length: {len(BODY)}"),
        raw_request(BODY, "X: a\0b", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, "X\0: a", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, "X: a\rb", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, "no colon", f"Content-Length: {len(BODY)}"),
        raw_request(BODY, f"Content-Length: {len(BODY)}").replace(b"\r\n", b"\n"),
        raw_request(BODY, f"Content-Length: {len(BODY)}").replace(b"POST", b"PO ST"),
        raw_request(BODY, f"Content-Length: {len(BODY)}").replace(b"1.1", b"9.9"),
        raw_request(BODY, f"Content-Length: {len(BODY)}").replace(b"echo", b"ec\0ho"),
        raw_request(BODY, f"Content-Length: {len(BODY)}").replace(b"/serve", b"/s\xc3\xa9rve"),
        chunk_request(b"x\r\n"),
        chunk_request(b"-1\r\nabc\r\n0\r\n\r\n"),
        chunk_request(b"0x3\r\nabc\r\n0\r\n\r\n"),
        chunk_request(b" 3\r\nabc\r\n0\r\n\r\n"),
        chunk_request(b"3\r\nabcd\r\n0\r\n\r\n"),
        chunk_request(b"3\nabc\n0\n\n"),
        chunk_request(b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        chunk_request(b"\r\nabc\r\n0\r\n\r\n"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"{}\r\n\r\n",
        b"\0\r\n\r\n",
    ],
)
def test_bytes_that_are_no_http(url: str, request_: bytes):
    with RawConnection(url) as connection:
        connection.send(request_)
        connection.send(HEALTHCHECK)  # must get no response on this connection
        responses = connection.responses()
    assert [response.status for response in responses] == [400]
    assert responses[0].headers["connection"] == "close"
    assert responses[0].document["description"] == "Invalid HTTP request"
    check(url)


@pytest.mark.parametrize(
    "headers",
    [
        ["X-A: \xe9", "Trailer: X", "Range: bytes=0-1", "TE: trailers"],
        # what Java's client and `curl --http2` send; whoever does not know it goes on in HTTP/1.1
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
    ],
)
def test_headers_that_mean_nothing_here(url: str, headers: list[str]):
    with RawConnection(url) as connection:
        for _ in range(2):
            connection.send(raw_request(BODY, f"Content-Length: {len(BODY)}", *headers))
            assert connection.response().result == RESULT
    check(url)


def test_chunk_extensions_and_trailers_are_ignored(url: str):
    coded = b'%x;a="b"\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n' % (len(BODY), BODY)
    with RawConnection(url) as connection:
        for _ in range(2):
            connection.send(chunk_request(coded))
            assert connection.response().result == RESULT


@pytest.mark.parametrize("header", ["X: ", "X-{}: "])
def test_heads_that_are_too_large(url: str, header: str):
    filler = "".join(f"{header.format(i)}{'a' * 1000}\r\n" for i in range(200))
    head = b"POST /serve HTTP/1.1\r\nHost: test\r\n" + filler.encode() + b"\r\n"
    for size in (len(head), 1000):
        with RawConnection(url) as connection:
            for start in range(0, len(head), size):
                connection.send(head[start : start + size])
            responses = connection.responses()
        assert [response.status for response in responses] == [431]
        assert responses[0].document["description"] == "Request head too large"
    check(url)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/healthcheck", 200),
        ("/ready", 200),
        ("/v2/health/live", 200),
        ("/v2/models/none.pt", 400),
        ("/unknown", 404),
        ("/serve", 405),
    ],
)
def test_head_is_get_without_a_body(url: str, target: str, status: int):
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)
    lengths = []
    for method in ("HEAD", "GET"):
        connection.request(method, target)
        response = connection.getresponse()
        body = response.read()
        assert response.status == status
        assert bool(body) == (method == "GET")
        lengths.append(response.headers["content-length"])
    connection.close()
    assert lengths[0] == lengths[1]


def test_tls_at_a_port_of_plain_http(url: str):
    with RawConnection(url) as connection:
        connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert "http://" in connection.response().document["detail"]


def test_targets_that_are_too_long(url: str):
    with RawConnection(url) as connection:
        connection.send(raw_request(target="/" + "a" * 200 * KIB, method="GET"))
        assert [response.status for response in connection.responses()] in ([431], [400])
    check(url)


def test_a_client_that_goes_away_in_the_middle_of_its_body(uvicorn_server: Process, url: str):
    for request_ in (with_length(BODY), chunked(BODY)):
        for _ in range(20):
            with RawConnection(url) as connection:
                connection.send(request_[:-10])
    check(url)
    assert "Traceback (most recent" not in uvicorn_server.stderr


def test_a_client_that_does_not_wait_for_its_response(uvicorn_server: Process, slow_body: bytes):
    with RawConnection(uvicorn_server.url) as connection:
        connection.send(with_length(slow_body, "/serve?servable_identifier=slow.pt"))
    check(uvicorn_server.url)
    assert "Traceback (most recent" not in uvicorn_server.stderr


def test_413_without_100_continue(hasty_url: str):
    length = f"Content-Length: {101 * KIB}"
    with RawConnection(hasty_url) as connection:
        connection.send(raw_request(b"", length, "Expect: 100-continue"))
        response = connection.response()  # straight away, not `100 Continue`
    assert (response.status, response.document["description"]) == (413, "Request body too large")
    check(hasty_url)


def test_100_continue(url: str):
    with RawConnection(url) as connection:
        connection.send(raw_request(b"", f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert connection.line() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.line() == b"\r\n"
        connection.send(BODY)
        assert connection.response().result == RESULT

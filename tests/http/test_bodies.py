"""How bodies are sent, how large they may be, and what is not POST /serve, on both servers."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.support.client import Client, RawConnection, raw_request, tensor
from tests.support.process import Process

BODY = json.dumps([tensor([2], [1, 2])]).encode()
RESULT = tensor([2], [1, 2])
LIMIT_BYTES = 2000


@pytest.fixture(scope="module")
def small_server(
    server: Process, model_root: Path, start_for_module: Callable[..., Process]
) -> Process:
    """A server of the same kind that takes bodies up to LIMIT_BYTES."""
    assert server.url  # it waits for the start-up line
    kind = "meinheld" if "(meinheld)" in server.stdout else "uvicorn"
    flags = ["--port", "0", "--max-body", str(LIMIT_BYTES), "--server", kind]
    return start_for_module(model_root, *flags)


@pytest.fixture
def small_client(small_server: Process) -> Iterator[Client]:
    with Client(small_server.url) as client:
        yield client


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """The body in pieces: the client sends it in chunks."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_chunked_bodies(client: Client, size: int):
    assert client.post("echo.pt", pieces(BODY, size)).result == RESULT
    client.check()


def test_large_chunked_bodies(client: Client):
    value = [number / 4 for number in range(50_000)]
    body = json.dumps([tensor([50_000], value)]).encode()
    assert client.post("echo.pt", pieces(body, 8192)).result["value"] == value


@pytest.mark.parametrize("send", [lambda body: body, lambda body: pieces(body, 300)])
def test_bodies_up_to_the_limit(small_client: Client, send: Callable[[bytes], object]):
    padded = BODY.ljust(LIMIT_BYTES)
    assert small_client.post("echo.pt", send(padded)).result == RESULT
    for excess in (1, 100_000):
        response = small_client.post("echo.pt", send(padded + b" " * excess))
        assert (response.status, response.document["description"]) == (
            413,
            "Request body too large",
        )
        assert str(LIMIT_BYTES) in response.document["detail"]
        small_client.check()


def test_a_body_over_the_limit_in_one_piece_with_its_head(small_server: Process):
    with RawConnection(small_server.url) as connection:
        for excess, status in ((0, 200), (1, 413)):
            body = BODY.ljust(LIMIT_BYTES + excess)
            connection.send(raw_request(body, f"Content-Length: {len(body)}"))
            assert connection.response().status == status


def test_a_length_over_the_limit_is_refused_before_the_body_comes(small_server: Process):
    with RawConnection(small_server.url) as connection:
        connection.send(raw_request(BODY, f"Content-Length: {10**12}"))
        if "(meinheld)" in small_server.stdout:  # it refuses by itself, in HTML
            assert b" 413 " in connection.line()
            return
        response = connection.response()
    assert (response.status, response.document["description"]) == (413, "Request body too large")


@pytest.mark.parametrize("body", [b"", iter([])])
def test_empty_bodies(client: Client, body: object):
    response = client.post("echo.pt", body)
    assert (response.status, response.document["description"]) == (400, "Empty body")
    client.check()


def test_no_length_is_no_body(client: Client):
    with RawConnection(client.url) as connection:
        connection.send(raw_request())
        response = connection.response()
    assert (response.status, response.document["description"]) == (400, "Empty body")


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate without a head": raw_deflate,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("name", PACK)
def test_bodies_that_are_packed(client: Client, name: str):
    packed = PACK[name](BODY)
    for coding in (name.split()[0], name.split()[0].upper()):
        response = client.post("echo.pt", packed, {"Content-Encoding": coding})
        assert response.result == RESULT


def test_gzip_in_several_members(client: Client):
    packed = gzip.compress(BODY[:10]) + gzip.compress(b"") + gzip.compress(BODY[10:])
    assert client.post("echo.pt", packed, {"Content-Encoding": "gzip"}).result == RESULT


@pytest.mark.parametrize("name", PACK)
def test_packed_bodies_that_are_damaged(client: Client, name: str):
    whole = PACK[name](BODY * 50)
    coding = {"Content-Encoding": name.split()[0]}
    for packed in (whole[: len(whole) // 2], whole[:-1], whole + b"more", BODY, b"\0" * 40):
        response = client.post("echo.pt", packed, coding)
        assert response.status == 400
        assert response.document["description"] in (
            "Invalid content encoding",
            "Invalid JSON",
            "Empty body",
        )


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "x", "gzip;q=1", "\xe9"])
def test_codings_that_are_unknown(client: Client, encoding: str):
    response = client.post("echo.pt", gzip.compress(BODY), {"Content-Encoding": encoding})
    assert (response.status, response.document["message"]) == (415, "Client Error")
    assert "gzip, deflate, zstd" in response.document["detail"]


@pytest.mark.parametrize("name", PACK)
def test_what_unpacks_to_more_than_the_limit(hasty_url: str, name: str):
    """100 KiB are allowed: bombs are refused while they are unpacked."""
    coding = {"Content-Encoding": name.split()[0]}
    with Client(hasty_url) as client:
        for size in (101 << 10, 60 << 20):
            response = client.post("echo.pt", PACK[name](b" " * size), coding)
            assert (response.status, response.document["description"]) == (
                413,
                "Request body too large",
            )
        body = BODY.rjust(100 << 10)
        assert client.post("echo.pt", PACK[name](body), coding).result == RESULT


def test_identity_is_no_encoding(client: Client):
    assert client.post("echo.pt", BODY, {"Content-Encoding": "identity"}).result == RESULT


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; charset=utf-16",
        "x",
    ],
)
def test_the_content_type_changes_nothing(client: Client, content_type: str):
    response = client.post("echo.pt", BODY, {"Content-Type": content_type})
    assert response.result == RESULT


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_serve_takes_post_only(client: Client, method: str):
    response = client.request(method, "/serve?servable_identifier=echo.pt", BODY)
    assert (response.status, response.document["description"]) == (405, "Method not allowed")
    assert "POST" in response.headers["allow"].split(", ")
    client.check()


def test_head_has_no_body(client: Client):
    with RawConnection(client.url) as connection:
        connection.send(raw_request(method="HEAD", target="/serve"))
        head = b"".join(iter(connection.line, b"\r\n")).lower()
        assert head.startswith(b"http/1.1 405")
        assert b"\r\nallow: post" in head
        assert b"content-type: application/json" in head
        # what comes next on the connection is the next response
        connection.send(raw_request(method="GET", target="/healthcheck"))
        assert connection.response().document == {"code": 200, "message": "OK", "description": "OK"}


@pytest.mark.parametrize("target", ["/server", "/serve/echo.pt", "/SERVE", "/serve%00"])
def test_unknown_paths(client: Client, target: str):
    for method in ("GET", "POST"):
        response = client.request(method, target, BODY)
        assert (response.status, response.document["description"]) == (404, "Not found")
        client.check()


def test_healthcheck(client: Client):
    response = client.get("/healthcheck")
    assert response.headers["content-type"] == "application/json"
    assert response.document == {"code": 200, "message": "OK", "description": "OK"}
    assert client.request("POST", "/healthcheck", BODY).status == 405
    client.check()


def test_responses_to_errors_keep_the_connection(client: Client):
    with RawConnection(client.url) as connection:
        for body, status in [(b"{", 400), (BODY, 200), (b"[]", 400), (BODY, 200)]:
            connection.send(raw_request(body, f"Content-Length: {len(body)}"))
            assert connection.response().status == status

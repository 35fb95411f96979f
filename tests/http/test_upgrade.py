"""A wish for another protocol is ignored, wherever its pieces end (RFC 9110, 7.8)."""

import pytest
import uvloop

from tests.support.bare_server import BareServer
from tests.support.client import raw_request

BODY = raw_request(method="GET", target="/smuggled")
LAST = raw_request(b"", "Connection: close", method="GET", target="/last")
WISH = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
LENGTH = f"Content-Length: {len(BODY)}"
LARGE = b"[" * 300_000
REQUEST = raw_request(BODY, LENGTH, *WISH, target="/a")
CHUNKS = b"%x\r\n%b\r\n0\r\nX: a\r\n\r\n" % (len(BODY), BODY)


@pytest.fixture
def bare() -> BareServer:
    return BareServer()


def feed(bare: BareServer, *pieces: bytes) -> bytes:
    return uvloop.run(bare.feed(pieces))


def test_a_wish_may_be_cut_at_every_byte(bare: BareServer):
    for cut in range(1, len(REQUEST)):
        feed(bare, REQUEST[:cut], REQUEST[cut:] + LAST)
    assert bare.asked == ["/a", "/last"] * (len(REQUEST) - 1)
    assert bare.bodies == [BODY, b""] * (len(REQUEST) - 1)


@pytest.mark.parametrize(
    ("pieces", "bodies"),
    [
        ([REQUEST], [BODY]),
        ([REQUEST * 3], [BODY] * 3),
        ([REQUEST, REQUEST], [BODY] * 2),
        ([bytes([each]) for each in REQUEST], [BODY]),
        ([raw_request(target="/a") + REQUEST], [b"", BODY]),
        ([raw_request(BODY, LENGTH, target="/a") + REQUEST], [BODY, BODY]),
        ([raw_request(CHUNKS, *WISH, "Transfer-Encoding: chunked", target="/a")], [BODY]),
        ([raw_request(BODY, *WISH, "UPGRADE: tls/1.0", LENGTH, target="/a")], [BODY]),
        ([raw_request(BODY, LENGTH, "connection:upgrade", "upgrade:", target="/a")], [BODY]),
        ([raw_request(LARGE, *WISH, f"Content-Length: {len(LARGE)}", target="/a")], [LARGE]),
        ([raw_request(b"", *WISH, method="GET", target="/a")], [b""]),
    ],
)
def test_a_wish_changes_nothing(bare: BareServer, pieces: list[bytes], bodies: list[bytes]):
    responses = feed(bare, *pieces, LAST)
    assert responses.count(b"HTTP/1.1 200") == len(bodies) + 1
    assert bare.asked == ["/a"] * len(bodies) + ["/last"]
    assert bare.bodies == [*bodies, b""]


@pytest.mark.parametrize(
    "request_",
    [
        raw_request(BODY, LENGTH, *WISH, "Connection: close", target="/a"),
        raw_request(BODY, LENGTH, *WISH, target="/a").replace(b"1.1", b"1.0", 1),
    ],
)
def test_a_wish_does_not_keep_a_connection_open(bare: BareServer, request_: bytes):
    assert b"connection: close" in feed(bare, request_)
    assert (bare.asked, bare.bodies) == (["/a"], [BODY])


@pytest.mark.parametrize(
    "request_",
    [
        raw_request(BODY, LENGTH, "Transfer-Encoding: chunked", *WISH),
        raw_request(BODY, "Transfer-Encoding: chunked, gzip", *WISH),
        raw_request(BODY, LENGTH, *WISH).replace(b"1.1", b"2.0", 1),
        raw_request(BODY, LENGTH, *WISH, method="CONNECT", target="x:1"),
    ],
)
def test_a_wish_hides_no_bad_framing(bare: BareServer, request_: bytes):
    assert feed(bare, request_).count(b"HTTP/1.1 400") == 1
    assert (bare.asked, bare.refused) == ([], [400])

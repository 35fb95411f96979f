"""The limit of heads and of trailers, which is the same wherever their pieces end."""

import pytest
import uvloop

from tests.support.bare_server import BareServer
from tests.support.client import raw_request

LIMIT = 64 * 1024
LAST = raw_request(b"", "Connection: close", method="GET", target="/last")
LENGTH = "Content-Length: 3"
CHUNKED = "Transfer-Encoding: chunked"


def small(size: int) -> list[str]:
    """Many headers of together this many bytes."""
    lines = [f"{number:x}: a" for number in range(size // 12)]
    left = size - sum(len(line) + 2 for line in lines)
    return [*lines, "X: " + "a" * (left - 5)]


def large(size: int) -> list[str]:
    return ["X: " + "a" * (size - 5)]


def of_headers(headers: list[str]) -> bytes:
    return raw_request(b"abc", LENGTH, *headers, target="/a")


def of_target(headers: list[str]) -> bytes:
    return raw_request(b"abc", LENGTH, target="/a?" + "a" * len("\r\n".join(headers)))


def of_trailers(headers: list[str]) -> bytes:
    trailers = "".join(line + "\r\n" for line in headers).encode()
    return raw_request(b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n", CHUNKED, target="/a")


def whole(data: bytes) -> list[bytes]:
    return [data]


def cut(data: bytes) -> list[bytes]:
    return [data[start : start + 1000] for start in range(0, len(data), 1000)]


def behind_another(data: bytes) -> list[bytes]:
    first = raw_request(method="GET", target="/first")
    return [first + data[: LIMIT // 2], data[LIMIT // 2 :]]


def behind_a_body(data: bytes) -> list[bytes]:
    first = raw_request(b"1\r\na\r\n", CHUNKED, target="/first")
    return [first, b"0\r\n\r\n" + data[:-5], data[-5:]]


@pytest.mark.parametrize("pieces", [whole, cut, behind_another, behind_a_body])
@pytest.mark.parametrize("headers", [small, large])
@pytest.mark.parametrize("request_of", [of_headers, of_target, of_trailers])
@pytest.mark.parametrize(("size", "is_taken"), [(LIMIT - 200, True), (LIMIT + 100, False)])
def test_heads_and_trailers_have_one_limit(request_of, headers, pieces, size: int, is_taken: bool):
    bare = BareServer()
    data = request_of(headers(size))
    uvloop.run(bare.feed([*pieces(data), LAST]))
    asked = [each for each in bare.asked if each != "/first"]
    if is_taken:
        assert (asked, bare.refused) == (["/a", "/last"], [])
    else:
        assert asked in ([], ["/a"])
        assert bare.refused == [431]

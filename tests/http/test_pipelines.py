"""Many requests on one connection that wait for each other: all are answered, few are in memory."""

import asyncio
import gc

import pytest
import uvloop

from tests.support.bare_server import BareServer, Wire
from tests.support.client import raw_request

PART = 64 * 1024
TINY = b"GET /a HTTP/1.1\r\n\r\n"
LAST = raw_request(b"", "Connection: close", method="GET", target="/last")
LARGE = bytes(300_000)
BODIES = [b"x" * size for size in (0, 10, 40_000, 100_000)]
COUNT = 40_000


def in_memory() -> int:
    return sum(type(each).__name__ == "Exchange" for each in gc.get_objects())


def post(body: bytes) -> bytes:
    return raw_request(body, f"Content-Length: {len(body)}", target="/a")


async def feed_and_watch(bare: BareServer, data: bytes) -> tuple[Wire, int]:
    """Let data arrive as fast as the connection wants it; return the most requests in memory."""
    wire, most = Wire(), 0
    protocol = bare.protocol()()
    protocol.connection_made(wire)
    rest = memoryview(data)
    while not wire.closed:
        if rest and not wire.is_paused:
            buffer = protocol.get_buffer(-1)[: len(rest)]
            buffer[:] = rest[: len(buffer)]
            protocol.buffer_updated(len(buffer))
            rest = rest[len(buffer) :]
            most = max(most, in_memory())
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire, most


def test_requests_that_wait_are_few_in_memory():
    bare = BareServer()
    before = in_memory()
    wire, most = uvloop.run(feed_and_watch(bare, TINY * COUNT + LAST))
    assert len(bare.asked) == COUNT + 1
    assert wire.written.count(b"HTTP/1.1 200") == COUNT + 1
    assert most - before <= PART // len(TINY) + 3


@pytest.mark.parametrize("first", [b"", TINY, TINY * 5000, post(LARGE)])
@pytest.mark.parametrize("last", [b"", post(LARGE)])
def test_bodies_among_many_requests(first: bytes, last: bytes):
    bare = BareServer()
    data = first + b"".join(map(post, BODIES)) * 3 + last
    uvloop.run(bare.feed([data, LAST]))
    expected = [LARGE] if first == post(LARGE) else [b""] * first.count(TINY)
    assert bare.bodies == [*expected, *BODIES * 3, *([LARGE] if last else []), b""]


class FastPath:
    """Counts the requests that came to it, and leaves them to the application."""

    taken = 0

    def begin(self, *arguments: object) -> None:
        self.taken += 1


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_came_in_one_piece_takes_the_fast_path(body: bytes):
    bare = BareServer()
    bare.fast_path = FastPath()
    uvloop.run(bare.feed([post(body) + LAST]))
    assert bare.fast_path.taken == 1
    assert bare.bodies == [body, b""]


def test_a_broken_request_behind_many_gets_their_responses_first():
    bare = BareServer()
    wire, _ = uvloop.run(feed_and_watch(bare, TINY * 5000 + b"no http\r\n\r\n" + TINY * 5000))
    assert len(bare.asked) == wire.written.count(b"HTTP/1.1 200") == 5000
    assert bare.refused == [400]

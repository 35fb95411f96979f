"""What the bodies of all requests of a worker take together is bounded, wherever they come from."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
import zstandard

from tests.support.bare_server import BareServer
from tests.support.client import LIMIT_S, raw_request
from torch_serving.errors import Overloaded
from torch_serving.http._connection import BodyRoom
from torch_serving.http.content_coding import decompress
from torch_serving.http.request import Request

KIB = 1 << 10
SIZE = 700 * KIB


class Small(BareServer):
    """It has memory for one body of SIZE, and not for two."""

    max_bodies_bytes = 1024 * KIB


Send = tuple[bytes, bytes, bytes]  # head, nearly all of the body, and the rest


def whole() -> Send:
    head = raw_request(b"", f"Content-Length: {SIZE}")
    return head, b"x" * (SIZE - 1), b"x"


def in_chunks() -> Send:
    head = raw_request(b"", "Transfer-Encoding: chunked")
    chunk = b"%x\r\n%b\r\n" % (64 * KIB, b"x" * (64 * KIB))
    return head, chunk * 10, b"0\r\n\r\n"


@asynccontextmanager
async def connected(
    server: asyncio.Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()


async def status_of(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
    return head.split()[1]


async def wait_for(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), LIMIT_S)


@pytest.mark.parametrize("make", [whole, in_chunks])
def test_bodies_that_arrive(make: Callable[[], Send]):
    head, most, rest = make()

    async def use() -> None:
        bare = Small()
        server = await asyncio.get_running_loop().create_server(bare.protocol(), "127.0.0.1", 0)
        settings = bare.settings
        async with connected(server) as (reader, writer), connected(server) as (other, sender):
            writer.write(head + most)
            await wait_for(lambda: settings.bodies_bytes >= 10 * 64 * KIB)
            sender.write(head + most)
            assert await status_of(other) == b"503"
            writer.write(rest)
            assert await status_of(reader) == b"200"
        await wait_for(lambda: settings.bodies_bytes == 0)
        async with connected(server) as (_, writer):  # a client that goes away gives it back, too
            writer.write(head + most)
            await wait_for(lambda: settings.bodies_bytes > 0)
        await wait_for(lambda: settings.bodies_bytes == 0)
        server.close()

    uvloop.run(use())


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)],
)
def test_bodies_that_are_decompressed(coding: str, compress: Callable[[bytes], bytes]):
    """There must be memory for as much as the limit before, and for the body itself afterwards."""
    bare = Small()
    bare.protocol()
    settings, body = bare.settings, b"1" * 100_000

    def request(room: BodyRoom) -> Request:
        packed = compress(body)
        scope: Any = {
            "type": "http",
            "path": "/serve",
            "query_string": b"",
            "method": "POST",
            "headers": [(b"content-encoding", coding.encode())],
            "torch_serving.room": room,
        }
        event = {"type": "http.request", "body": packed, "more_body": False}
        return Request(scope, None, first_event=event)

    first, second = BodyRoom(settings), BodyRoom(settings)
    assert asyncio.run(request(first).read_body(SIZE)) == body
    assert settings.bodies_bytes == len(body)
    first.take(SIZE)
    with pytest.raises(Overloaded, match="take all memory"):
        asyncio.run(request(second).read_body(SIZE))
    del first
    assert settings.bodies_bytes == 0
    assert asyncio.run(request(second).read_body(SIZE)) == body


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("size", [0, 1, 65_535, 3 << 20])
def test_members_of_any_size(size: int, members: int):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    packed = b"".join(gzip.compress(body, 1) for _ in range(members))
    assert decompress(packed, "gzip", 1 << 30) == body * members

"""Responses whose bodies come in pieces: framing, slow readers, clients that leave, a stop."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from tests.support.bare_server import BareServer, Connection

PIECE = bytes(64 << 10)
PATIENCE_S = 20.0


class StreamServer(BareServer):
    """Its paths say how the application streams; `sent` are the pieces that were taken of it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.is_sending = False
        self.tasks: list[int] = []
        self.ended = asyncio.Event()

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        headers = [(b"content-length", b"6")] if scope["path"] == "/length" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            if scope["path"] == "/endless":
                while True:
                    await self.send_piece(send, PIECE)
            for piece in (b"one", b"", b"two"):
                await self.send_piece(send, piece)
            if scope["path"] == "/waits":
                await asyncio.sleep(PATIENCE_S)
            if scope["path"] == "/raises":
                raise RuntimeError("in the middle")
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.ended.set()

    async def send_piece(self, send: Any, piece: bytes) -> None:
        self.is_sending = True
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self.is_sending = False
        self.sent += 1
        self.tasks.append(len(self.state.tasks))
        await asyncio.sleep(0)


def ask(path: str, version: str = "1.1", method: str = "GET", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()


def last(path: str, version: str = "1.1", method: str = "GET") -> bytes:
    return ask(path, version, method, "connection: close")


CHUNKS = b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "body", "is_chunked"),
    [
        (last("/pieces"), CHUNKS, True),
        (last("/length"), b"onetwo", False),
        (last("/pieces", "1.0"), b"onetwo", False),
        (last("/pieces", "1.1", "HEAD"), b"", True),
        (last("/length", "1.1", "HEAD"), b"", False),
    ],
)
def test_the_framing_is_that_of_the_request(request_: bytes, body: bytes, is_chunked: bool):
    server = StreamServer()
    head, _, got = asyncio.run(server.feed([request_])).partition(b"\r\n\r\n")
    assert got == body
    assert (b"transfer-encoding: chunked" in head) == is_chunked
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert server.refused == []


def test_the_next_request_follows_on_the_connection():
    server = StreamServer()
    written = asyncio.run(server.feed([ask("/pieces") + ask("/length"), last("/pieces")]))
    assert [part.partition(b"\r\n\r\n")[2] for part in written.split(b"HTTP/1.1 200 OK")[1:]] == [
        CHUNKS,
        b"onetwo",
        CHUNKS,
    ]
    assert server.asked == ["/pieces", "/length", "/pieces"]


def test_a_stream_is_nothing_that_the_server_is_busy_with():
    """Else nothing would run on the loop while a stream is open."""
    server = StreamServer()
    asyncio.run(server.feed([last("/pieces")]))
    assert server.tasks == [0, 0, 0]


def run(use: Callable[[StreamServer, Connection], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        server = StreamServer()
        vars(server).update(settings)
        await server.serve(lambda connection: use(server, connection))

    uvloop.run(main())


async def until_it_waits(server: StreamServer) -> int:
    """How much the application sent until the client's buffers were full."""
    before = -1
    while not server.is_sending or server.sent != before:
        before = server.sent
        await asyncio.sleep(0.05)
    return before


def test_the_application_waits_for_a_client_that_does_not_read():
    async def use(server: StreamServer, connection: Connection) -> None:
        await connection.send(ask("/endless"))
        waiting_since = await until_it_waits(server)
        while server.sent == waiting_since:
            await connection.read_some(1 << 20)
        assert not server.ended.is_set()

    run(use)


def test_a_client_that_does_not_read_is_left():
    async def use(server: StreamServer, connection: Connection) -> None:
        await connection.send(ask("/endless"))
        await server.ended.wait()
        await asyncio.sleep(0)
        assert server.refused == []

    run(use, keep_alive_s=0.2)


def test_a_client_that_leaves_ends_the_application():
    async def use(server: StreamServer, connection: Connection) -> None:
        await connection.send(ask("/waits"))
        await connection.receive(b"two")
        connection.close()
        await server.ended.wait()
        await asyncio.sleep(0)
        assert server.refused == []  # it has had a response

    run(use)


def test_a_stop_ends_the_body_as_it_should():
    async def use(server: StreamServer, connection: Connection) -> None:
        await connection.send(ask("/waits"))
        await connection.receive(b"two\r\n")
        for each in list(server.state.connections):
            each.shutdown()
        assert await connection.responses() == b"0\r\n\r\n"
        await server.ended.wait()
        assert server.state.connections == set()

    run(use)


def test_a_stop_does_not_wait_for_a_client_that_does_not_read():
    async def use(server: StreamServer, connection: Connection) -> None:
        await connection.send(ask("/endless"))
        await until_it_waits(server)
        for each in list(server.state.connections):
            each.shutdown()
        await server.ended.wait()
        while server.state.connections:
            await asyncio.sleep(0.01)

    run(use, keep_alive_s=1.0)


def test_an_error_in_the_middle_is_no_whole_response():
    async def use(server: StreamServer, connection: Connection) -> None:
        await connection.send(ask("/raises"))
        await connection.receive(b"two\r\n")
        with suppress(ConnectionResetError):
            assert await connection.responses() == b""  # no last chunk
        assert server.refused == [500]

    run(use)

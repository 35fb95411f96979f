"""A server of the HTTP connection alone, with an application that is quick, slow or large."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from uvicorn.server import ServerState

from tests.support.client import LIMIT_S
from torch_serving.http._connection import ConnectionSettings, HttpProtocol
from torch_serving.telemetry.responses import ResponseRecorder

LARGE = bytes(8 << 20)  # more than a client's and the kernel's buffers take
RECEIVE_BUFFER = 4096


class BareServer:
    """A server of the protocol; `asked`, `headers` and `bodies` are what its application saw."""

    keep_alive_s = float(LIMIT_S)  # also for a client to read on
    slow_s = 0.4
    body_rate = 0.0
    max_body_bytes = 1 << 20
    max_bodies_bytes = 1 << 40
    root_path = ""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.bodies: list[bytes] = []
        self.refused: list[int] = []
        self.fast_path: Any = None
        self.state = ServerState()

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        self.bodies.append(body + message.get("body", b""))
        self.headers.append(scope["headers"])
        if scope["path"] == "/slow":
            await asyncio.sleep(self.slow_s)
        body = LARGE if scope["path"] == "/large" else scope["path"].encode()
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    @property
    def unmatched(self) -> "BareServer":
        return self

    def observe_response(self, status: int, elapsed_s: float) -> None:
        self.refused.append(status)

    def count_error(self, kind: int) -> None:
        pass

    def protocol(self) -> Callable[[], HttpProtocol]:
        limits = (self.max_body_bytes, LIMIT_S, LIMIT_S, self.body_rate, self.keep_alive_s)
        responses = ResponseRecorder(self)
        self.settings = ConnectionSettings(
            self.application,
            responses,
            *limits,
            self.fast_path,
            self.max_bodies_bytes,
            root_path=self.root_path,
        )
        return functools.partial(HttpProtocol, self.settings, server_state=self.state)

    async def serve(self, use: Callable[["Connection"], Awaitable[None]]) -> None:
        """Let a client of an own server do something."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self.protocol(), "127.0.0.1", 0)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            client.setblocking(False)
            await loop.sock_connect(client, server.sockets[0].getsockname())
            try:
                await asyncio.wait_for(use(Connection(client)), LIMIT_S)
            finally:
                server.close()

    async def feed(self, pieces: Iterable[bytes]) -> bytes:
        """Let these pieces arrive, exactly so, at a new connection; return all that it writes.

        One of the requests must end the connection.
        """
        wire = Wire()
        protocol = self.protocol()()
        protocol.connection_made(wire)
        for piece in pieces:
            rest = memoryview(piece)
            while rest and not wire.closed:
                while wire.is_paused:
                    await asyncio.sleep(0)
                buffer = protocol.get_buffer(-1)[: len(rest)]
                buffer[:] = rest[: len(buffer)]
                protocol.buffer_updated(len(buffer))
                rest = rest[len(buffer) :]
            await asyncio.sleep(0)
        await asyncio.wait_for(wire.closing.wait(), LIMIT_S)
        protocol.connection_lost(None)
        return bytes(wire.written)


class Wire(asyncio.Transport):
    """A transport without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closing = asyncio.Event()
        self.is_paused = False

    @property
    def closed(self) -> bool:
        return self.closing.is_set()

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closing.set()

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return 0


class Connection:
    def __init__(self, client: socket.socket) -> None:
        self._socket = client
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._socket, data)

    def send_now(self, data: bytes) -> None:
        self._socket.send(data)

    def close(self) -> None:
        self._socket.close()

    async def flood(self, data: bytes) -> bool:
        """Send until the server wants no more; return whether it came to that."""
        try:
            for _ in range(1000):
                await self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    async def receive(self, end: bytes) -> bytes:
        """All that comes until this does."""
        received = b""
        while end not in received:
            received += await self._loop.sock_recv(self._socket, 1 << 16)
        return received

    async def read_some(self, size: int = 1 << 10) -> None:
        """Read a little; a server that has ended the connection is no failure here."""
        with suppress(ConnectionResetError):
            await self._loop.sock_recv(self._socket, size)

    async def responses(self) -> bytes:
        """All that comes until the server closes the connection."""
        received = bytearray()
        while data := await self._loop.sock_recv(self._socket, 1 << 16):
            received += data
        return bytes(received)

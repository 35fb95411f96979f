"""How many connections are accepted in a turn, and those that a stopping server has accepted."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import uvloop

from tests.support.bare_server import BareServer
from tests.support.client import LIMIT_S, raw_request
from torch_serving.server import acceptor as module
from torch_serving.server.acceptor import PACE_S, Acceptor, Tls


class SlowTls:
    """A client of TLS that sends and receives when the test says so."""

    def __init__(self, connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)

    async def greet(self) -> None:
        """Send the first message, and receive the server's."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            await self._exchange()

    async def ask(self, request: bytes) -> bytes:
        """End the handshake, send a request, and receive to the end."""
        await self._until_done(self._tls.do_handshake)
        self._tls.write(request)
        response = b""
        while data := await self._until_done(lambda: self._tls.read(65536)):
            response += data
        return response

    async def _until_done(self, act: Callable[[], bytes | None]) -> bytes | None:
        while True:
            with suppress(ssl.SSLWantReadError):
                return act()
            if not await self._exchange():
                return None

    async def _exchange(self) -> bool:
        if self._outgoing.pending:
            await self._loop.sock_sendall(self._connection, self._outgoing.read())
        data = await self._loop.sock_recv(self._connection, 65536)
        self._incoming.write(data)
        return bool(data)


async def stop_during_handshake(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    bare = BareServer()
    connections = bare.state.connections
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as connection:
        tls = Tls(context, LIMIT_S, LIMIT_S)
        acceptor = Acceptor(listener, bare.protocol(), 8, tls, connections)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, listener.getsockname())
        client = SlowTls(connection)
        await client.greet()
        acceptor.close()
        for each in list(connections):
            each.shutdown()
        assert len(connections) == 1  # what the server waits for
        response = await client.ask(raw_request(method="GET", target="/healthcheck"))
        assert response.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in response
        connection.close()
        while connections:
            await asyncio.sleep(0.01)


def test_a_handshake_during_a_stop(certificate: tuple[Path, Path]):
    uvloop.run(asyncio.wait_for(stop_during_handshake(certificate), LIMIT_S))


async def accept_all(count: int, accepted: list[int]) -> None:
    """Let this many connections wait, and accept them; `accepted` has those of each turn."""
    bare = BareServer()
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=count))
        for _ in range(count):
            stack.enter_context(socket.create_connection(listener.getsockname(), LIMIT_S))
        acceptor = Acceptor(listener, bare.protocol(), count)
        while sum(accepted) < count:
            await asyncio.sleep(0.01)
        acceptor.close()


@pytest.mark.parametrize(("turn_s", "most"), [(0.0, 1), (10.5 * PACE_S, 11)])
def test_more_are_accepted_after_a_turn_that_took_long(
    monkeypatch: pytest.MonkeyPatch, turn_s: float, most: int
):
    now_s = 0.0
    counts: list[int] = []
    accept, accept_one = Acceptor._accept, Acceptor._accept_one

    def recorded(self: Acceptor) -> None:
        nonlocal now_s
        now_s += turn_s
        counts.append(0)
        accept(self)

    def recorded_one(self: Acceptor) -> bool:
        was_there = accept_one(self)
        counts[-1] += was_there
        return was_there

    monkeypatch.setattr(module, "perf_counter", lambda: now_s)
    monkeypatch.setattr(Acceptor, "_accept", recorded)
    monkeypatch.setattr(Acceptor, "_accept_one", recorded_one)
    uvloop.run(asyncio.wait_for(accept_all(40, counts), LIMIT_S))
    assert (sum(counts), max(counts)) == (40, most)

"""Accepting connections: several processes may listen on one socket."""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

# The part of a turn of the loop for which one more connection is accepted in the next turn.
PACE_S = 0.0002
OUT_OF_FILES_S = 0.5  # how long to wait where there is no file descriptor for a connection


class Tls(NamedTuple):
    """What TLS needs for each connection."""

    context: ssl.SSLContext
    handshake_timeout_s: float
    shutdown_timeout_s: float  # for clients to read the last response


class Handshake:
    """A connection that was accepted and is not there yet, among those that are."""

    task: asyncio.Task[None]  # keeps it from being collected

    def shutdown(self) -> None:
        """Go on: the client was accepted, and has its time for the handshake."""


class Acceptor:
    """Accepts one connection in each turn of the loop, and more after a turn that took long.

    So processes that are equally idle get equally many, and a busy one gets fewer. The server of
    asyncio accepts all that wait: of eight connections, one process often gets eight. uvloop's
    accepts one in each turn: of hundreds that come at once, the last ones wait for hundreds of
    turns, each of which runs the requests of all that were accepted before.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], Any],
        backlog: int,
        tls: Tls | None = None,
        connections: set[Any] | None = None,
    ) -> None:
        """`connections` are those that a stopping server waits for; handshakes are among them."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._fd = listener.fileno()
        self._protocol = protocol
        self._tls: dict[str, Any] = {}
        if tls:
            self._tls = {
                "ssl": tls.context,
                "ssl_handshake_timeout": tls.handshake_timeout_s,
                "ssl_shutdown_timeout": tls.shutdown_timeout_s,
            }
        self._connections = set() if connections is None else connections
        self._closed = False
        self._others_wait_since_s: float | None = None  # for their turn
        listener.setblocking(False)
        listener.listen(backlog)
        self._waiting = select.poll()
        self._waiting.register(listener, select.POLLIN)
        self._listen()

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._fd, self._accept)

    def _accept(self) -> None:
        count = 1
        if self._others_wait_since_s is not None:
            count += int((perf_counter() - self._others_wait_since_s) / PACE_S)
        while count and self._accept_one():
            count -= 1
        # where nobody waits, the loop may sleep before its next turn
        others_wait = count == 0 and self._waiting.poll(0)
        self._others_wait_since_s = perf_counter() if others_wait else None

    def _accept_one(self) -> bool:
        """Accept a connection, and return whether there was one."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another process accepted it, or the client is gone
        except OSError:
            self._loop.remove_reader(self._fd)
            self._loop.call_later(OUT_OF_FILES_S, self._listen)
            return False
        connection.setblocking(False)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handshake = Handshake()
        handshake.task = self._loop.create_task(self._connect(connection, handshake))
        self._connections.add(handshake)
        return True

    async def _connect(self, connection: socket.socket, handshake: "Handshake") -> None:
        try:
            tls = self._tls if self._tls and await self._speaks_tls(connection) else {}
            protocol = self._protocol()  # with TLS, uvloop returns the one of TLS
            await self._loop.connect_accepted_socket(lambda: protocol, connection, **tls)
            if self._closed:  # its request may be on its way
                protocol.shutdown()
        except (OSError, asyncio.TimeoutError):
            connection.close()  # the client is gone
        finally:
            self._connections.discard(handshake)

    async def _speaks_tls(self, connection: socket.socket) -> bool:
        """Look at the first byte of a client. The protocol refuses those who speak plain HTTP."""
        has_data = asyncio.Event()
        self._loop.add_reader(connection.fileno(), has_data.set)
        try:
            await asyncio.wait_for(has_data.wait(), self._tls["ssl_handshake_timeout"])
        finally:
            self._loop.remove_reader(connection.fileno())
        first = connection.recv(1, socket.MSG_PEEK)
        return not first.isalpha()

    def close(self) -> None:
        """Accept no more."""
        self._closed = True
        self._loop.remove_reader(self._fd)

    async def wait_closed(self) -> None:
        """Return at once. Servers of asyncio have this coroutine, and uvicorn awaits it."""

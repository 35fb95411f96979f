"""Accepting connections where several processes listen on one socket."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

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
    """Accepts one connection in each turn of the loop.

    So processes that are equally idle get equally many, and a busy one gets fewer. The server of
    asyncio accepts all that wait: of eight connections, one process often gets eight.
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
        listener.setblocking(False)
        listener.listen(backlog)
        self._listen()

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._fd, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process accepted it, or the client is gone
        except OSError:
            self._loop.remove_reader(self._fd)
            self._loop.call_later(OUT_OF_FILES_S, self._listen)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handshake = Handshake()
        handshake.task = self._loop.create_task(self._connect(connection, handshake))
        self._connections.add(handshake)

    async def _connect(self, connection: socket.socket, handshake: "Handshake") -> None:
        try:
            tls = self._tls if self._tls and await self._speaks_tls(connection) else {}
            _, protocol = await self._loop.connect_accepted_socket(
                self._protocol, connection, **tls
            )
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

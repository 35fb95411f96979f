"""A server of HTTP in a thread, whose answers and pauses a test decides."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
POLL_S = 0.001


def response(status: int, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Some", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class FakeServer(NamedTuple):
    url: str
    requests: list[bytes]
    is_open: threading.Event  # while it is cleared, nobody gets an answer


@contextmanager
def fake_server(
    answer: Callable[[bytes, int], bytes | None] = lambda request, number: OK,
) -> Iterator[FakeServer]:
    """Answer each request, known by itself and its number from 0; None closes the connection."""
    requests: list[bytes] = []
    is_open = threading.Event()
    is_open.set()
    connections: set[Connection] = set()
    loop = asyncio.new_event_loop()

    def decide(request: bytes) -> bytes | None:
        requests.append(request)
        return answer(request, len(requests) - 1)

    def connect() -> Connection:
        return Connection(decide, is_open, connections)

    server = loop.run_until_complete(loop.create_server(connect, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        port = server.sockets[0].getsockname()[1]
        yield FakeServer(f"http://127.0.0.1:{port}", requests, is_open)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(end(server, connections))
        loop.close()


async def end(server: asyncio.Server, connections: "set[Connection]") -> None:
    """Close all connections, those that have just been accepted as well."""
    server.close()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    for connection in tuple(connections):
        connection.transport.abort()
    while connections:
        await asyncio.sleep(POLL_S)


class Connection(asyncio.Protocol):
    def __init__(
        self,
        decide: Callable[[bytes], bytes | None],
        is_open: threading.Event,
        connections: "set[Connection]",
    ) -> None:
        self._decide = decide
        self._is_open = is_open
        self._connections = connections
        self._received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        lengths = [line[15:] for line in head.split(b"\r\n") if line[:15] == b"Content-Length:"]
        if end and len(body) == int(lengths[0] if lengths else 0):
            request, self._received = self._received, b""
            self._answer(self._decide(request))

    def _answer(self, data: bytes | None) -> None:
        if not self._is_open.is_set():
            asyncio.get_running_loop().call_later(POLL_S, self._answer, data)
            return
        if data is not None:
            self.transport.write(data)
        if data is None or b"Connection: close" in data:
            self.transport.close()

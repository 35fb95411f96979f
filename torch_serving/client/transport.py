"""Requests over httpx, below its client: connections, TLS, sockets, and what they raise."""

import asyncio
import contextlib
import os
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from torch_serving import __version__
from torch_serving.client.bodies import Body
from torch_serving.client.exchange import ConnectionLost, Response, Sending

try:
    import httpx

    from torch_serving.client.bounded import BoundedTransport, Left
except ImportError as error:
    raise ImportError(
        "torch_serving.client needs httpx; pip install 'torch-serving[client]'"
    ) from error

AUTOMATIC = 32 + zlib.MAX_WBITS  # of zlib: gzip or deflate
CONNECT_S = 5.0  # for one try: another may find a server that has started
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Address(NamedTuple):
    """Where a server is: `base` without a slash at its end, and the path of its socket, if any."""

    base: str
    socket: str | None

    @property
    def is_tls(self) -> bool:
        return self.base.startswith("https://")


def address_of(url: str) -> Address:
    """Read http://…, https://… or unix:/path. Raises ValueError for anything else."""
    try:
        parts = urlsplit(url := url.strip())
        if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
            return Address("http://localhost", parts.path)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if known and "@" not in parts.netloc:
            httpx.URL(url).host.encode("idna")
    except (ValueError, AttributeError, httpx.InvalidURL):
        known = False
    if not known:
        raise ValueError(f"expected http://host:port, https://… or unix:/path.sock, got {url!r}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("a server's address has no query, fragment or user; a key is `api_key`")
    return Address(url.rstrip("/"), None)


class Connections(NamedTuple):
    """How to connect. `verify` is as of `Client`, `at_most` how many there may be."""

    address: Address
    api_key: str | None
    verify: bool | str | ssl.SSLContext
    at_most: int | None

    @property
    def headers(self) -> dict[str, str]:
        """Of every request. Raises ValueError for a key that no header can hold."""
        host = httpx.URL(self.address.base).netloc.decode()
        headers = {"Host": host, "User-Agent": f"torch-serving-client/{__version__}"}
        if self.api_key is not None:
            if not re.fullmatch("[!-~]+( +[!-~]+)*", self.api_key):
                raise ValueError("a key is of printable ASCII characters")
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers

    def options(self) -> dict[str, Any]:
        """What httpx's transports take."""
        verify = self.verify if self.address.is_tls else False
        if isinstance(verify, str):
            verify = trusting(verify)
        limits = httpx.Limits(max_connections=self.at_most, max_keepalive_connections=self.at_most)
        return {"verify": verify, "limits": limits, "uds": self.address.socket}


def trusting(certificates: str) -> ssl.SSLContext:
    """Trust what is signed by the certificates in a file. Raises ValueError for one without any."""
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise ValueError(f"verify: {certificates} holds no certificates: {problem}") from None


class Upload(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body on its way. `was_sent`: whether all of it was handed to the socket."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.was_sent = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        self.was_sent = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._body:
            yield piece
        self.was_sent = True


class Senders:
    """Makes httpx's requests."""

    def __init__(self, connections: Connections) -> None:
        self._base = connections.address.base
        self._headers = connections.headers

    def request(self, sending: Sending) -> httpx.Request:
        left = None if sending.left_s is None else Left(sending.left_s)
        connect = CONNECT_S if left is None else min(left, CONNECT_S)
        timeout = {"connect": connect, "read": left, "write": left, "pool": left}
        return httpx.Request(
            sending.request.method,
            self._base + sending.request.target,
            headers={**self._headers, **sending.headers},
            stream=Upload(sending.request.body),
            extensions={"timeout": timeout},
        )


def lost(error: Exception, request: httpx.Request) -> ConnectionLost:
    """What a failure of the transport means."""
    upload = request.stream
    was_sent = isinstance(upload, Upload) and upload.was_sent
    problem = str(error) or type(error).__name__
    return ConnectionLost(problem, was_sent and not isinstance(error, NOT_SENT))


def answer_of(response: httpx.Response, body: bytearray) -> Response:
    """The response; a proxy may have compressed it, though nobody asked for that."""
    if response.headers.get("content-encoding") in ("gzip", "deflate"):
        with contextlib.suppress(zlib.error):
            body = bytearray(zlib.decompress(body, AUTOMATIC))
    return Response(response.status_code, response.headers, body)


class Transport:
    """Sends requests from any thread; a process that was forked makes connections of its own."""

    def __init__(self, connections: Connections) -> None:
        self._senders = Senders(connections)
        self._options = connections.options()
        self._connect()

    def _connect(self) -> None:
        self._http = BoundedTransport(**self._options)
        self._pid = os.getpid()

    def send(self, sending: Sending) -> Response:
        """Send and receive. Raises ConnectionLost, and TimeoutError when the time is over."""
        if os.getpid() != self._pid:  # answers to both would come on the same connection
            self._connect()
        request = self._senders.request(sending)
        try:
            response = self._http.handle_request(request)
            body = self._receive(response)
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            raise TimeoutError from None
        except httpx.TransportError as error:
            raise lost(error, request) from error
        return answer_of(response, body)

    @staticmethod
    def _receive(response: httpx.Response) -> bytearray:
        body = bytearray()
        try:
            for piece in response.stream:  # type: ignore[union-attr]
                body += piece
        finally:
            response.close()
        return body

    def close(self) -> None:
        if os.getpid() == self._pid:
            self._http.close()


class AsyncTransport:
    """Sends requests from tasks of one event loop."""

    def __init__(self, connections: Connections) -> None:
        self._senders = Senders(connections)
        self._http = httpx.AsyncHTTPTransport(**connections.options())

    async def send(self, sending: Sending) -> Response:
        """Send and receive. Raises ConnectionLost, and TimeoutError when the time is over."""
        try:
            return await asyncio.wait_for(self._exchange(sending), sending.left_s)
        except asyncio.TimeoutError:  # Python 3.10 has one of its own
            raise TimeoutError from None

    async def _exchange(self, sending: Sending) -> Response:
        request = self._senders.request(sending)
        try:
            response = await self._http.handle_async_request(request)
            body = bytearray()
            try:
                async for piece in response.stream:  # type: ignore[union-attr]
                    body += piece
            finally:
                await response.aclose()
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            raise TimeoutError from None
        except httpx.TransportError as error:
            raise lost(error, request) from error
        return answer_of(response, body)

    async def close(self) -> None:
        await self._http.aclose()

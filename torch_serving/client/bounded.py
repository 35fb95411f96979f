"""Reads and writes of httpx that end with a call, however slowly its bytes drip.

A timeout of a socket begins anew with each byte; here it is the time that is left at each read.
"""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

PIECE_BYTES = 1 << 16  # a write may stop and start again within itself


class Left(float):
    """Seconds that are left from now on; it knows when they are over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def now(self) -> float:
        """The seconds that are left by now. Raises httpcore.ReadTimeout where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time of the call is over")
        return left


def seconds_of(timeout: float | None) -> float | None:
    return timeout.now() if isinstance(timeout, Left) else timeout


class Stream(httpcore.NetworkStream):
    """A connection."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, seconds_of(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE_BYTES):
            self._inner.write(buffer[start : start + PIECE_BYTES], seconds_of(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """Makes connections."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        return Stream(self._inner.connect_unix_socket(path, timeout, socket_options))


class BoundedTransport(httpx.HTTPTransport):
    """httpx's transport; its timeouts for reading and writing may be `Left`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        pool: Any = self._pool  # httpx takes no backend, httpcore does
        pool._network_backend = Backend(pool._network_backend)

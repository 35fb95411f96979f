"""The connections of a load: they are opened, opened again when lost, and watched for time."""

import asyncio
import resource
import ssl
import time
from collections.abc import Awaitable
from typing import Protocol

from torch_serving.bench.address import unreachable
from torch_serving.bench.connection import Connection
from torch_serving.bench.recorder import Recorder
from torch_serving.bench.target import Target
from torch_serving.errors import StartupError

AT_ONCE = 64  # connections that are opened at the same time
RETRY_S = 0.1
OTHERS = 100  # descriptors that are no connections


class Arrivals(Protocol):
    """Decides when the next request is sent."""

    def idle(self, connection: Connection, now_s: float) -> None:
        """A connection can take a request."""

    def lost(self, connection: Connection) -> None:
        """A connection can no longer take one."""


class Pool:
    """Holds the connections, and tells arrivals and recorder what happens on them."""

    def __init__(self, target: Target, recorder: Recorder, timeout_s: float) -> None:
        self._target = target
        self._recorder = recorder
        self._timeout_s = timeout_s
        self._request = target.request()
        self._loop = asyncio.get_running_loop()
        self._tls = target.address.tls()
        self._connections: set[Connection] = set()
        self._reopenings: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.arrivals: Arrivals

    async def open(self, count: int) -> None:
        """Open all connections. Raises StartupError if the server takes none of them."""
        allow_descriptors(count)
        turns = asyncio.Semaphore(AT_ONCE)

        async def open_one() -> Connection:
            async with turns:
                return await self._connect()

        try:
            self._connections |= set(await asyncio.gather(*(open_one() for _ in range(count))))
        except OSError as error:
            raise StartupError(unreachable(self._target.address.name, error)) from None

    def start(self, now_s: float) -> None:
        """Let each connection have its first request."""
        for connection in tuple(self._connections):
            if connection.is_open:
                self.arrivals.idle(connection, now_s)
            else:
                self.lost(connection, "")

    def answered(self, connection: Connection, status: int, now_s: float) -> None:
        due_s, connection.sent_s = connection.due_s, 0.0
        if status == 200:
            self._recorder.succeeded(due_s, now_s)
        else:
            self._recorder.failed(status, connection.reason(status), now_s)
        if connection.is_open:  # it closes itself where the server will
            self.arrivals.idle(connection, now_s)

    def lost(self, connection: Connection, reason: str) -> None:
        """Note what was on its way, and open another connection."""
        if self._is_closed or connection not in self._connections:
            return
        self._connections.discard(connection)
        self.arrivals.lost(connection)
        if connection.sent_s:
            self._recorder.failed(0, reason, time.perf_counter())
        self._begin(self._reopen())

    def check_times(self, now_s: float) -> None:
        """Give up requests that have waited for too long."""
        for connection in tuple(self._connections):
            if connection.sent_s and now_s - connection.sent_s > self._timeout_s:
                connection.fail(f"no answer within {self._timeout_s:g} s")

    def waiting(self) -> list[float]:
        """When the requests that are on their way were due."""
        return [each.due_s for each in self._connections if each.sent_s]

    def close(self) -> None:
        self._is_closed = True
        for task in self._reopenings:
            task.cancel()
        for connection in self._connections:
            connection.close()

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._reopenings.add(task)
        task.add_done_callback(self._reopenings.discard)

    async def _reopen(self) -> None:
        while not self._is_closed:
            try:
                connection = await self._connect()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                self._recorder.failed(0, f"no connection: {reason}", time.perf_counter())
                await asyncio.sleep(RETRY_S)
                continue
            self._connections.add(connection)
            self.arrivals.idle(connection, time.perf_counter())
            return

    async def _connect(self) -> Connection:
        address = self._target.address
        tls: ssl.SSLContext | None = self._tls
        name = address.host if tls else None

        def make() -> Connection:
            return Connection(self, self._request)

        if address.uds:
            opening = self._loop.create_unix_connection(
                make, str(address.uds), ssl=tls, server_hostname=name
            )
            return (await opening)[1]
        opening = self._loop.create_connection(
            make, address.host, address.port, ssl=tls, server_hostname=name
        )
        return (await opening)[1]


def allow_descriptors(connections: int) -> None:
    """Raise the limit on open files as far as it may be. Raises StartupError if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise StartupError(
            f"{connections} connections need {wanted} open files, and {hard} are allowed; "
            "ulimit -n raises that"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

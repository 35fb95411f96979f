"""Load generators: closed loop (each client waits for its response) or at a constant rate."""

import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from tests.support.client import LIMIT_S, RawConnection, in_threads

Ask = Callable[["LoadConnection", int], "Reply"]


class Reply(NamedTuple):
    status: int  # 0: the connection was closed
    body: bytes = b""
    retry_after: bytes = b""


class Sample(NamedTuple):
    due_s: float  # when it should have been sent
    sent_s: float
    end_s: float
    reply: Reply

    @property
    def latency_s(self) -> float:
        """Latency from the due time, which includes the delay of a late client."""
        return self.end_s - self.due_s


class LoadConnection(RawConnection):
    """Reads the status, `Retry-After` and the body; reconnects after the server closed it.

    While nothing listens, it retries for `again_s`, then raises ConnectionRefusedError.
    """

    def __init__(self, url: str, again_s: float = LIMIT_S) -> None:
        super().__init__(url)
        self._again_s = again_s
        self._is_open = True

    def ask(self, request: bytes) -> Reply:
        if not self._is_open or self._was_closed():
            self._connect_again()
        try:
            # the server may respond, and close, before the whole request was sent
            with suppress(BrokenPipeError, ConnectionResetError):
                self.socket.sendall(request)
            return self._reply()
        except (OSError, ValueError, IndexError):
            self._is_open = False
            return Reply(0)

    def _reply(self) -> Reply:
        status, length, retry_after = int(self._reader.readline().split()[1]), 0, b""
        while (line := self._reader.readline()) != b"\r\n":
            name, _, value = line.lower().partition(b": ")
            if name == b"content-length":
                length = int(value)
            elif name == b"retry-after":
                retry_after = value.strip()
            elif name == b"connection" and value.strip() == b"close":
                self._is_open = False
            elif not line:
                raise ValueError("the response was cut")
        body = self._reader.read(length)
        if len(body) < length:
            raise ValueError("the response was cut")
        return Reply(status, body, retry_after)

    def _was_closed(self) -> bool:
        """Whether the server closed it: connection pools check this before reuse."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def _connect_again(self) -> None:
        self.__exit__()
        deadline_s = time.monotonic() + self._again_s
        while not self._connects(deadline_s):
            time.sleep(0.01)
        self._is_open = True

    def _connects(self, deadline_s: float) -> bool:
        try:
            self.connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline_s:
                raise
            return False
        return True


class Load:
    """Clients, each with a connection and a thread, that run inside a `with` block.

    With a rate, all clients together send that many requests per second. A late request is sent at
    once, and its latency counts from its due time.
    """

    def __init__(
        self, url: str, request: bytes | Ask, clients: int, rate_per_s: float | None = None
    ) -> None:
        self.samples: list[list[Sample]] = [[] for _ in range(clients)]
        self._url = url
        self._ask = request if callable(request) else lambda it, _: it.ask(request)
        self._interval_s = clients / rate_per_s if rate_per_s else 0.0
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self._running: list[Future[None]] = []

    def __enter__(self) -> "Load":
        clients = range(len(self.samples))
        self._running = [self._pool.submit(self._run, index) for index in clients]
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for running in self._running:
            running.result(LIMIT_S)
        self._pool.shutdown()

    def _run(self, index: int) -> None:
        samples = self.samples[index]
        due_s = time.monotonic() + self._interval_s * index / len(self.samples)
        with LoadConnection(self._url) as connection:
            while not self._over.wait(max(0.0, due_s - time.monotonic())):
                sent_s = time.monotonic()
                due_s = due_s if self._interval_s else sent_s
                reply = self._ask(connection, len(samples))
                samples.append(Sample(due_s, sent_s, time.monotonic(), reply))
                due_s += self._interval_s

    def all(self, from_s: float = 0.0) -> list[Sample]:
        return [each for samples in self.samples for each in samples if each.due_s >= from_s]


def latencies(samples: list[Sample]) -> list[float]:
    return [sample.latency_s for sample in samples]


def failures(samples: list[Sample]) -> int:
    return sum(sample.reply.status != 200 for sample in samples)


def ask_counted(url: str, ask: Ask, clients: int, count: int) -> list[Reply]:
    """Send `count` requests in all; return the replies other than 200."""

    def run(client: int) -> list[Reply]:
        with LoadConnection(url) as connection:
            replies = (ask(connection, index) for index in range(client, count, clients))
            return [reply for reply in replies if reply.status != 200]

    return [reply for replies in in_threads(clients, run) for reply in replies]

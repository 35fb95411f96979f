"""Clients that are slow on purpose, and clients that send nothing."""

import json
import socket
import threading
import time
from contextlib import ExitStack, suppress
from itertools import count
from urllib.parse import urlsplit

from tests.chaos.load import Load, failures, latencies
from tests.chaos.stage import FEATURES, MEBIBYTE, Server, Stage
from tests.chaos.table import Row, Rows, percentile
from tests.support.client import Client, raw_request, scalar, tensor, with_length

MLP = "/serve?servable_identifier=mlp.pt"
GOOD = with_length(json.dumps(FEATURES).encode(), MLP)
RESPONSE_NUMBERS = 500_000  # 2 MB: more than socket buffers hold
SLOW, SILENT, CLIENTS, RATE_PER_S = 200, 1000, 4, 200.0
HEADER_TIMEOUT_S = 10
KINDS = {
    "headers": (raw_request(method="GET", target="/healthcheck")[:-4], b"\r\nX-Slow: 1"),
    "bodies": (
        with_length(json.dumps([tensor([1], [1])]).encode() + b" " * 10_000)[:-10_000],
        b" ",
    ),
    "readers": (
        with_length(
            json.dumps([scalar(RESPONSE_NUMBERS, "int")]).encode(),
            "/serve?servable_identifier=zeros.pt",
        ),
        b"",
    ),
}


class SlowClients:
    """Connections that send or read a little every second, and reconnect when closed."""

    def __init__(self, url: str, kind: str, count: int) -> None:
        address = urlsplit(url)
        self._address = (address.hostname, address.port)
        self._first, self._drip = KINDS[kind]
        self._sockets: list[socket.socket | None] = [None] * count
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "SlowClients":
        for index in range(len(self._sockets)):
            self._sockets[index] = self._connect()
        if not self._drip:  # the responses are made before anything is measured
            for connection in self._sockets:
                connection.setblocking(True)
                connection.recv(1)
                connection.setblocking(False)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        for each in self._sockets:
            if each is not None:
                each.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(self._address)
        connection.sendall(self._first)
        connection.setblocking(False)
        return connection

    def _run(self) -> None:
        for turn in count():
            if self._over.wait(1 / len(self._sockets)):
                return
            index = turn % len(self._sockets)
            if not self._goes_on(self._sockets[index]):
                self._sockets[index].close()
                self._sockets[index] = self._connect()

    def _goes_on(self, connection: socket.socket) -> bool:
        """Send or read a little; return whether the connection is still open."""
        try:
            if self._drip:
                connection.sendall(self._drip)
            return bool(connection.recv(512))
        except BlockingIOError:
            return True
        except OSError:
            return False


def slow_clients(stage: Stage) -> Rows:
    """200 slow clients of each kind, and four good ones."""
    seconds, number = stage.effort.time(30), stage.effort.count(SLOW, 20)
    for kind in KINDS:
        with stage.server() as server:
            pids = server.pids()
            quiet = good_clients(server, seconds / 2)
            before = server.resident_bytes()
            with SlowClients(server.url, kind, number):
                loaded = good_clients(server, seconds)
                held = (server.resident_bytes() - before) / MEBIBYTE
            quiet += good_clients(server, seconds / 2)  # as before: the machine may be noisy
            failed = failures(loaded)
            problem = server.check(pids)
            what = f"{number} slow {kind}, {CLIENTS} good clients, {seconds:.0f} s"
            figure = f"{failed} of {len(loaded)} failed; {held:.0f} MiB held"
            yield Row(what, problem or figure, "0 failed", failed == 0 and not problem)
            before_ms, after_ms = (percentile(latencies(each), 99) for each in (quiet, loaded))
            figure = f"p99 {after_ms:.1f} ms, quiet {before_ms:.1f} ms"
            yield Row(what, figure, "p99 < 2 × quiet", after_ms < 2 * before_ms, timed=True)


def good_clients(server: Server, seconds: float) -> list:
    with Load(server.url, GOOD, CLIENTS, RATE_PER_S) as load:
        time.sleep(seconds)
    return load.all()


def silent(stage: Stage) -> Rows:
    """1,000 connections that send nothing, then a new client."""
    number = stage.effort.count(SILENT, 50)
    with stage.server() as server, ExitStack() as stack:
        pids = server.pids()
        address = urlsplit(server.url)
        connections = [
            stack.enter_context(socket.create_connection((address.hostname, address.port)))
            for _ in range(number)
        ]
        started_s = time.monotonic()
        with Client(server.url) as client:
            status = client.post("mlp.pt", FEATURES).status
        new_s = time.monotonic() - started_s
        if stage.effort.seconds >= HEADER_TIMEOUT_S:
            yield closed(connections)
        problem = server.check(pids)
        what = f"{number} silent connections, a new client"
        yield Row(what, problem or f"status {status}", "200", status == 200 and not problem)
        bound = f"within {HEADER_TIMEOUT_S + 1} s"
        yield Row(what, f"{1e3 * new_s:.0f} ms", bound, new_s < HEADER_TIMEOUT_S + 1, timed=True)


def closed(connections: list[socket.socket]) -> Row:
    """The server must close them soon after its timeout for headers."""
    deadline_s = time.monotonic() + HEADER_TIMEOUT_S + 2
    left = len(connections)
    for connection in connections:
        connection.settimeout(max(0.01, deadline_s - time.monotonic()))
        with suppress(OSError):
            left -= connection.recv(1) == b""
    done = f"{len(connections)} silent connections, {HEADER_TIMEOUT_S + 2} s later"
    return Row(done, f"{left} are open", "none is", left == 0, timed=True)

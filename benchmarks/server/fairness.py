"""Whether many connections to one server get alike: `python -m benchmarks.server.fairness`.

The server and the client have cores of their own. All connections are made at once, to a server
that has loaded its model, and each asks again as soon as it has its response. Flags that are not
known here go to the server.
"""

import argparse
import os
import select
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.support.payloads import SMALL_BODY, mlp
from benchmarks.support.process import start

REQUEST = (
    b"POST /serve?servable_identifier=mlp.pt HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(SMALL_BODY)
) + SMALL_BODY
COLUMNS = (
    "workers",
    "connections",
    "rps",
    "p50, p99, most, ms",
    "p99 / p50 (<= 5)",
    "of a connection: least, median, most",
    "last first response, ms",
)


@dataclass
class Client:
    """One connection, and when each of its responses came, in seconds after its request."""

    socket: socket.socket
    asked_s: float = 0.0
    taken_s: list[float] = field(default_factory=list)

    def ask(self) -> None:
        self.asked_s = time.perf_counter()
        self.socket.send(REQUEST)

    def read(self) -> None:
        if not self.socket.recv(1 << 16).startswith(b"HTTP/1.1 200 "):
            raise RuntimeError("a response that is none, or an error")
        self.taken_s.append(time.perf_counter() - self.asked_s)


def load(port: int, connections: int, seconds: float) -> list[Client]:
    """Connect all at once, and let each ask again and again."""
    clients: dict[int, Client] = {}
    with select.epoll() as poll:
        for _ in range(connections):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            clients[connection.fileno()] = Client(connection)
            poll.register(connection, select.EPOLLIN)
        for client in clients.values():
            client.ask()
        until_s = time.perf_counter() + seconds
        while time.perf_counter() < until_s:
            for number, _ in poll.poll(1.0, connections):
                clients[number].read()
                clients[number].ask()
    for client in clients.values():
        client.socket.close()
    return list(clients.values())


def print_row(workers: int, clients: list[Client], seconds: float) -> None:
    taken_s = sorted(each for client in clients for each in client.taken_s)
    counts = sorted(len(client.taken_s) for client in clients)
    first_s = max((client.taken_s or [seconds])[0] for client in clients)
    p50, p99 = (taken_s[int(share * len(taken_s))] * 1e3 for share in (0.5, 0.99))
    cells = (
        f"{workers}",
        f"{len(clients)}",
        f"{len(taken_s) / seconds:,.0f}",
        f"{p50:.2f}, {p99:.2f}, {taken_s[-1] * 1e3:.2f}",
        f"{p99 / p50:.1f}",
        f"{counts[0]}, {counts[len(counts) // 2]}, {counts[-1]}",
        f"{first_s * 1e3:.0f}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def cores_of(text: str) -> set[int]:
    return {int(each) for each in text.split(",")}


def numbers_of(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> None:
    available = sorted(os.sched_getaffinity(0))
    half = len(available) // 2 or 1
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server.fairness")
    parser.add_argument("--connections", type=numbers_of, default=[64, 256, 512])
    parser.add_argument("--workers", type=numbers_of, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--server-cores", type=cores_of, default=set(available[:half]))
    parser.add_argument("--client-cores", type=cores_of, default={available[-1]})
    arguments, flags = parser.parse_known_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    with tempfile.TemporaryDirectory() as folder:
        mlp().save(Path(folder) / "mlp.pt")
        for workers in arguments.workers:
            for connections in arguments.connections:
                os.sched_setaffinity(0, arguments.server_cores)
                given = ("--port", "{port}", "--workers", str(workers), *flags)
                with start("torch_serving", folder, *given) as running:
                    os.sched_setaffinity(0, arguments.client_cores)
                    load(running.port, 8, 1.0)
                    clients = load(running.port, connections, arguments.seconds)
                    print_row(workers, clients, arguments.seconds)


if __name__ == "__main__":
    main()

"""Workers that are killed, models that kill theirs, and one that never ends."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos.load import Load, LoadConnection, Reply, failures
from tests.chaos.slow_clients import GOOD
from tests.chaos.stage import Server, Stage, wait_for_workers
from tests.chaos.table import Row, Rows
from tests.support.client import Client, RawConnection, scalar, tensor, with_length
from tests.support.process import wait_until

CLIENTS = 8
TWO_WORKERS = ("--workers", "2", "--preload", "mlp.pt")
CRASHING = [tensor([1], [1.0])]
ENDLESS = [tensor([1], [1]), scalar(10**12, "int")]
DEADLINE_S = 2


def kill(stage: Stage) -> Rows:
    """kill -9 of one of two workers under eight connections."""
    ports: dict[int, int] = {}  # client port -> status of its last failure

    def ask(connection: LoadConnection, index: int) -> Reply:
        port = connection.socket.getsockname()[1]
        reply = connection.ask(GOOD)
        if reply.status != 200:
            ports[port] = reply.status
        return reply

    with stage.server(*TWO_WORKERS) as server:
        victim, survivor = server.pids()
        seconds = stage.effort.time(10)
        with Load(server.url, ask, CLIENTS) as load:
            time.sleep(seconds / 2)
            wait_until(lambda: len(connections(server)) >= CLIENTS)
            victims = connections_of(victim, server)
            os.kill(victim, signal.SIGKILL)
            restored_s = time_to_two_workers(server, victim, survivor)
            time.sleep(seconds / 2)
        samples = load.all()
        done = f"kill -9 of 1 of 2 workers, {CLIENTS} connections, {len(victims)} of them its own"
        figure = f"{len(ports)} of {len(samples)} requests failed"
        only_its_own = set(ports) <= victims and failures(samples) == len(ports)
        yield Row(done, figure, "only on its connections, one each", only_its_own)
        start_s = 0.1  # the parent waits 0.1 s, then forks
        figure = f"two workers serve after {restored_s:.2f} s"
        yield Row(done, figure, "< 2 s + start", restored_s < 2 + start_s, timed=True)
        problem = server.check() or ("" if survivor in server.pids() else "it died")
        yield Row(done, problem or "the other worker lives", "it does", not problem)


def connections(server: Server) -> set[int]:
    """Client ports of all workers' connections."""
    return set().union(*[connections_of(pid, server) for pid in server.pids()])


def connections_of(pid: int, server: Server) -> set[int]:
    """Client ports of a worker's connections."""
    port = urlsplit(server.url).port
    sockets = set(links_of(pid))
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote, inode = fields[1], fields[2], fields[9]
        remote_port = int(remote.partition(":")[2], 16)  # 0: a listening socket
        if remote_port and int(local.partition(":")[2], 16) == port:
            found.update({remote_port} if f"socket:[{inode}]" in sockets else ())
    return found


def links_of(pid: int) -> Iterator[str]:
    """Targets of a process's descriptors; one that is closed meanwhile is skipped."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(link)


def time_to_two_workers(server: Server, victim: int, survivor: int) -> float:
    """Seconds until a new worker has accepted a connection."""
    started_s = time.monotonic()
    wait_until(lambda: victim not in server.pids())
    wait_for_workers(server, 2)
    [new] = set(server.pids()) - {survivor}

    def has_one() -> bool:
        with RawConnection(server.url) as probe:
            port = probe.socket.getsockname()[1]
            time.sleep(0.01)
            return port in connections_of(new, server)

    wait_until(has_one)
    return time.monotonic() - started_s


def segfault(stage: Stage) -> Rows:
    """A model that kills its process, requested every second."""
    statuses: list[tuple[int, str]] = []
    seconds = stage.effort.time(60)
    with stage.server(*TWO_WORKERS) as server:
        with Load(server.url, GOOD, 4, 100) as load, every_second(server, statuses):
            time.sleep(seconds)
        samples = load.all()
        good = 1 - failures(samples) / len(samples)
        done = f"a model that segfaults, asked every second for {seconds:.0f} s, beside 100 good/s"
        yield Row(done, f"{good:.2%} of {len(samples)} good responses", ">= 99 %", good >= 0.99)
        crashes = statuses.count((0, ""))
        clear = statuses.count((503, "Model quarantined"))
        figure = f"{crashes} crashes, {clear} × 503 Model quarantined"
        fine = crashes == 2 and clear == len(statuses) - 2 > 0
        yield Row(done, figure, "2 crashes, then 503", fine)
        logged = server.stderr.count("died (signal SIGSEGV)")
        all_logged = logged == 2 and "crashing.pt is in quarantine" in server.stderr
        yield Row(done, f"{logged} deaths logged", "each, and the quarantine", all_logged)
        wait_for_workers(server, 2)
        problem = server.check()
        yield Row(done, problem or "two workers", "two workers", not problem)


@contextmanager
def every_second(
    server: Server, statuses: list[tuple[int, str]], identifier: str = "crashing.pt"
) -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        while not over.wait(1):
            statuses.append(crash(server.url, identifier))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def crash(url: str, identifier: str = "crashing.pt") -> tuple[int, str]:
    """Request a model that crashes; 0 if the connection was closed."""
    try:
        with Client(url) as client:
            response = client.post(identifier, CRASHING)
            return response.status, response.document["description"]
    except OSError:
        return 0, ""


def runaway(stage: Stage) -> Rows:
    """A forward that does not end: its client gets 504 in time, and its worker is replaced."""
    flags = ("--request-timeout", str(DEADLINE_S), "--shutdown-timeout", str(DEADLINE_S))
    with stage.server(*TWO_WORKERS, "--threads", "2", *flags) as server:
        before = server.pids()
        with Load(server.url, GOOD, 4, 100) as load:
            started_s = time.monotonic()
            with RawConnection(server.url) as connection:
                target = "/serve?servable_identifier=slow.pt"
                connection.send(with_length(json.dumps(ENDLESS).encode(), target))
                response = connection.response()
            responded_s = time.monotonic() - started_s
            wait_until(lambda: server.pids() != before and len(server.pids()) == 2)
            time.sleep(0.5)
        samples = load.all()
        done = "a forward that does not end, beside 100 good/s"
        status = response.status if response else 0
        yield Row(done, f"status {status}", "504", status == 504)
        late_s = responded_s - DEADLINE_S
        yield Row(done, f"{late_s:.2f} s after its deadline", "< 1 s", late_s < 1, timed=True)
        figure = f"{failures(samples)} of {len(samples)} others failed"
        yield Row(done, figure, "none", failures(samples) == 0)
        kept = len(set(before) & set(server.pids()))
        problem = server.check()
        yield Row(done, problem or f"{kept} of 2 workers kept", "1", kept == 1 and not problem)

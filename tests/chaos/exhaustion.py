"""Descriptors, disk or memory run out, and become available again.

The limits of the running processes are lowered from outside (`prlimit`).
"""

import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.chaos.files import save, value_of
from tests.chaos.load import LoadConnection
from tests.chaos.stage import FEATURES, MEBIBYTE, Server, Stage, status_of, wait_for_workers
from tests.chaos.table import Row, Rows
from tests.support.client import Client, RawConnection, scalar, tensor, with_length
from tests.support.process import wait_until

ONE = [tensor([1], [1.0])]
ROOM = 256 * MEBIBYTE
IDLE_S = 2


@contextmanager
def limited(pids: list[int], what: int, limits: list[int]) -> Iterator[None]:
    """Lower a resource limit of processes, and restore it at the end."""
    before = [resource.prlimit(pid, what) for pid in pids]
    for pid, limit, (_, most) in zip(pids, limits, before, strict=True):
        resource.prlimit(pid, what, (limit, most))
    try:
        yield
    finally:
        for pid, each in zip(pids, before, strict=True):
            with suppress(ProcessLookupError):
                resource.prlimit(pid, what, each)


def highest_file(pid: int) -> int:
    """The RLIMIT_NOFILE at which a process can open no more: its lowest free descriptor."""
    numbers = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(numbers) + 1) if number not in numbers)


def no_files(stage: Stage) -> Rows:
    """Neither a connection nor a model can be opened."""
    for flags in ((), ("--workers", "2", "--preload", "mlp.pt")):
        path = stage.root / "replaced.pt"
        save(path, 1)
        with stage.server(*flags) as server, Client(server.url) as kept:
            pids = server.pids()
            assert value_of(kept) == 1
            limits = [highest_file(pid) for pid in pids]
            with limited(pids, resource.RLIMIT_NOFILE, limits):
                good = kept.post("mlp.pt", FEATURES).status
                cold = kept.post("echo.pt", ONE).status
                save(path, 2)
                replaced = kept.post("replaced.pt", ONE).status
                yield busy_while_full(server, pids)
            again = kept.post("echo.pt", ONE).status
            wait_until(lambda: value_of(kept) == 2)
            problem = server.check(pids)
        done = f"no file descriptors, {len(pids)} worker{'s'[: len(pids) - 1]}"
        done += ": loaded, cold and replaced model; cold and replaced one after it"
        figure = f"{good}, {cold}, {replaced}; {again}, the new one"
        fine = (good, cold, replaced, again) == (200, 503, 503, 200) and not problem
        yield Row(done, problem or figure, "200, 503, 503; 200, the new one", fine)


def busy_while_full(server: Server, pids: list[int]) -> Row:
    """Connections that can't be accepted must not keep the processor busy."""
    with RawConnection(server.url) as first, RawConnection(server.url):
        first.send(with_length(b"", "/healthcheck"))
        before = processor_s(pids)
        time.sleep(IDLE_S)
        used = (processor_s(pids) - before) / IDLE_S
    done = f"two connections without descriptors, {len(pids)} worker{'s'[: len(pids) - 1]}"
    return Row(done, f"{used:.0%} of a core", "< 20 %", used < 0.2, timed=True)


def processor_s(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def no_files_to_restart(stage: Stage) -> Rows:
    """A worker dies while its parent has no descriptors for a new one."""
    with stage.server("--preload", "mlp.pt") as server:
        [worker] = server.pids()
        # the dead worker's connection frees one descriptor; one is not enough
        with limited([server.pid], resource.RLIMIT_NOFILE, [highest_file(server.pid) - 1]):
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: worker not in server.pids())
            time.sleep(1)
            alive = server.is_running()
        if alive:
            wait_for_workers(server, 1)
        problem = server.check() if alive else "the server ended"
    done = "kill -9 of the worker, its parent has no file descriptors"
    yield Row(done, problem or "a new worker once there are some", "a new worker", not problem)


def no_disk(stage: Stage) -> Rows:
    """The log can't be written."""
    count = stage.effort.count(2000, 200)
    request = with_length(json.dumps(FEATURES).encode(), "/serve?servable_identifier=mlp.pt")
    with stage.server() as server, LoadConnection(server.url) as connection:
        pids = server.pids()
        everyone = [server.pid, *pids]
        none = [0] * len(everyone)
        with limited(everyone, resource.RLIMIT_FSIZE, none):
            good = sum(connection.ask(request).status == 200 for _ in range(count))
            time.sleep(0.3)
        lines = server.stdout.count("\n")
        problem = server.check(pids)
        wait_until(lambda: server.stdout.count("\n") > lines)
        done = f"disk full for the log, {count} requests"
        figure = f"{good} × 200, then the log goes on"
        yield Row(done, problem or figure, f"{count} × 200", good == count and not problem)
        with limited(everyone, resource.RLIMIT_FSIZE, none):
            server.signal()
            code = server.exit_code()
        yield Row("SIGTERM while the disk is full", f"exit code {code}", "0", code == 0)


def no_memory(stage: Stage) -> Rows:
    """Each request needs more memory than is left; a small one beside it still runs."""
    cases = {
        "the model": with_length(number_body(200_000_000), "/serve?servable_identifier=zeros.pt"),
        "the response": with_length(number_body(30_000_000), "/serve?servable_identifier=zeros.pt"),
        "the body": large(b" " * (17 * ROOM // 16)),
        "the string": large(b'"' + b"\\n" * (ROOM // 5) + b'"'),
        "the tensor": large(b"[" + b"1," * (ROOM // 6) + b"1]"),
    }
    flags = ("--log-level", "warning", "--max-body", str(2 * ROOM))
    with stage.server(*flags) as server, Client(server.url) as small:
        [pid] = server.pids()
        small.post("zeros.pt", [scalar(1, "int")])
        for what, request in cases.items():
            limit = settled_bytes(pid) + ROOM
            with limited([pid], resource.RLIMIT_AS, [limit]), LoadConnection(server.url) as big:
                status = big.ask(request).status
                beside = small.post("mlp.pt", FEATURES).status
            problem = server.check([pid])
            quiet = "Traceback" not in server.stderr
            done = f"{ROOM // MEBIBYTE} MiB left, {what} needs more"
            figure = f"{status}; {beside} beside it{'' if quiet else '; a traceback in the log'}"
            fine = status in (413, 503) and beside == 200 and quiet and not problem
            yield Row(done, problem or figure, "503 (or 413); 200", fine)


def settled_bytes(pid: int) -> int:
    """What a process has reserved, once it has returned the memory of the request before."""
    before, now = -1, status_of(pid, "VmSize")
    while now != before:
        time.sleep(0.2)
        before, now = now, status_of(pid, "VmSize")
    return now * 1024


def number_body(number: int) -> bytes:
    return json.dumps([scalar(number, "int")]).encode()


def large(value: bytes) -> bytes:
    return with_length(b'[{"type":"tensor","value":' + value + b"}]")

"""A server of its own for one measurement: started, waited for, and ended."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

from torch_serving.bench.address import Address
from torch_serving.errors import StartupError
from torch_serving.lifeline import lifeline

STOP_S = 15.0
IGNORED = "TORCH_SERVING_API_KEY"  # the client's, no setting


class OwnServer(NamedTuple):
    pid: int
    address: Address


@contextmanager
def own_server(arguments: Sequence[str], address: Address) -> Iterator[OwnServer]:
    """Run `torch-serving` with these arguments until the end.

    `address` is where it will be; its port is the one that the server tells, which finds a free one
    for port 0. The server has a session of its own, so Ctrl-C does not reach it, and it ends with
    this process however that ends. Raises StartupError with its last words if it ends before it
    serves.
    """
    with tempfile.TemporaryFile() as log, lifeline(arguments) as (flags, inherited):
        process, ready = start([*arguments, *flags], inherited, log)
        try:
            with ready:
                facts = ready.readline()
            if not facts:
                process.wait()
                raise StartupError(f"the server did not start: {last_words(log)}")
            port: int | None = json.loads(facts)["port"]  # none for a Unix socket
            yield OwnServer(process.pid, address.at_port(port) if port else address)
        finally:
            stop(process)


def start(
    arguments: Sequence[str], inherited: tuple[int, ...], log: IO[bytes]
) -> "tuple[subprocess.Popen[bytes], IO[bytes]]":
    """Start the server; also return a pipe that gets one line once it serves, or ends with it."""
    read, ready = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "torch_serving", *arguments, "--ready-fd", str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={name: value for name, value in os.environ.items() if name != IGNORED},
            start_new_session=True,
            pass_fds=(*inherited, ready),
        )
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(ready)
    return process, os.fdopen(read, "rb")


def last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("torch-serving: ") if lines else "it said nothing"


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server; one that does not end in time is killed with its workers."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

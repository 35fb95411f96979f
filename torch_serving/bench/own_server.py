"""A server of its own for one measurement: started, waited for, and ended."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from torch_serving.bench.address import Address
from torch_serving.errors import StartupError
from torch_serving.lifeline import lifeline

POLL_S = 0.05
STOP_S = 15.0
ASK_S = 5.0  # how long one question about its health may take
IGNORED = "TORCH_SERVING_API_KEY"  # the client's, no setting


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def own_server(arguments: Sequence[str], address: Address) -> Iterator[int]:
    """Run `torch-serving` with these arguments until the end; yields its process.

    `address` is where it will be. It has a session of its own, so Ctrl-C does not reach it, and it
    ends with this process however that ends. Raises StartupError with its last words if it ends
    before it serves.
    """
    with tempfile.TemporaryFile() as log, lifeline(arguments) as (flags, inherited):
        process = subprocess.Popen(
            [sys.executable, "-m", "torch_serving", *arguments, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={name: value for name, value in os.environ.items() if name != IGNORED},
            start_new_session=True,
            pass_fds=inherited,
        )
        try:
            wait_until_served(process, address, log)
            yield process.pid
        finally:
            stop(process)


def wait_until_served(process: "subprocess.Popen[bytes]", address: Address, log: IO[bytes]) -> None:
    while True:
        if process.poll() is not None:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            last = lines[-1].removeprefix("torch-serving: ") if lines else "it said nothing"
            raise StartupError(f"the server did not start: {last}")
        try:
            address.get("/healthcheck", ASK_S)
        except StartupError:
            time.sleep(POLL_S)
        else:
            return


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server; one that does not end in time is killed with its workers."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

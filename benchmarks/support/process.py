"""Servers as child processes of a benchmark, and the CPU and memory of their process trees."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.support.load import free_port, load, wait_until_open

STOP_TIMEOUT_S = 10


@dataclass(frozen=True)
class Running:
    port: int
    process: psutil.Process

    def url(self, target: str) -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def cpu_s(self) -> float:
        """CPU seconds that the server and its workers have used."""
        return sum(sum(member.cpu_times()[:2]) for member in family_of(self.process))

    def pss_mb(self) -> float:
        return pss_mb(self.process)

    def under_load(
        self, target: str, connections: int, script: Path, seconds: int
    ) -> tuple[float, float]:
        """Requests per second, and the CPU time of one in µs."""
        before_s = self.cpu_s()
        rate, _, _ = load(self.url(target), connections, script, seconds)
        return rate, (self.cpu_s() - before_s) / (rate * seconds) * 1e6


@contextmanager
def start(module: str, *arguments: str) -> Iterator[Running]:
    """Run a Python module that listens on `{port}`, which is replaced in its arguments."""
    port = free_port()
    command = [sys.executable, "-m", module, *(each.format(port=port) for each in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until_open(port)
        yield Running(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


@contextmanager
def start_program(
    command: Sequence[str], folder: Path, variables: dict[str, str], log: Path
) -> Iterator[psutil.Popen]:
    """Run a program in a session of its own; its output goes to `log`."""
    with log.open("wb") as output:
        server = psutil.Popen(
            command,
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield server
    finally:
        stop(server)


def stop(server: psutil.Popen) -> None:
    """Terminate a server and its children, and kill those that do not end."""
    family = family_of(server)
    for process in family:  # each of them: TorchServe's launcher does not forward the signal
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
    for process in family:  # some have sessions of their own
        with suppress(psutil.NoSuchProcess):
            process.kill()
    with suppress(ProcessLookupError):  # orphans in the server's session
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def family_of(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return [process]


def pss_mb(process: psutil.Process) -> float:
    """PSS of a process and its descendants in MB: shared pages count once."""
    total = 0
    for member in family_of(process):
        with suppress(psutil.NoSuchProcess):
            total += member.memory_full_info().pss
    return total / 1e6


def check(url: str, body: bytes) -> None:
    """Assert that a request succeeds."""
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as response:
        assert json.load(response)["code"] == 200

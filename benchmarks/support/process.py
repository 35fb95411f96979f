"""A server as a child process of the benchmark, and what it uses."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.support.load import free_port, load, wait_until_open


@dataclass(frozen=True)
class Running:
    port: int
    process: psutil.Process

    def url(self, target: str) -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def cpu_s(self) -> float:
        """What it and its workers have used."""
        return sum(sum(member.cpu_times()[:2]) for member in self._family())

    def pss_mb(self) -> float:
        """Its memory and its workers'; what they share counts once."""
        return sum(member.memory_full_info().pss for member in self._family()) / 1e6

    def under_load(
        self, target: str, connections: int, script: Path, seconds: int
    ) -> tuple[float, float]:
        """Requests a second, and the CPU of one in µs."""
        before_s = self.cpu_s()
        rate, _, _ = load(self.url(target), connections, script, seconds)
        return rate, (self.cpu_s() - before_s) / (rate * seconds) * 1e6

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def start(module: str, *arguments: str) -> Iterator[Running]:
    """Run a module; `{port}` in its arguments becomes the port that it listens on."""
    port = free_port()
    command = [sys.executable, "-m", module, *(each.format(port=port) for each in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until_open(port)
        yield Running(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


def check(url: str, body: bytes) -> None:
    """See that a model answers."""
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as response:
        assert json.load(response)["code"] == 200

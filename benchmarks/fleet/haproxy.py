"""A balancer before servers of a benchmark."""

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep

from benchmarks.support.load import free_port
from torch_serving.haproxy import Address, Fleet, binary, render


@contextmanager
def balanced(ports: Sequence[int], fleet: Fleet | None = None, balance: str = "") -> Iterator[int]:
    """Start HAProxy before servers on this machine; `balance` replaces the hashing."""
    program = binary()
    if program is None:
        sys.exit("this benchmark needs haproxy (Debian: apt-get install haproxy)")
    port = free_port()
    nodes = tuple(Address("127.0.0.1", each) for each in ports)
    fleet = replace(fleet or Fleet(nodes), nodes=nodes, bind=Address("127.0.0.1", port))
    text = render(fleet)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "haproxy.cfg")
        file.write_text(otherwise(text, balance) if balance else text)
        process = subprocess.Popen([program, "-db", "-f", file], stderr=subprocess.DEVNULL)
        try:
            wait_until_ready(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def otherwise(text: str, balance: str) -> str:
    """A configuration that balances in another way."""
    hashing = ("balance ", "hash-type", "hash-balance-factor")
    lines = [line for line in text.splitlines() if not line.strip().startswith(hashing)]
    lines.insert(lines.index("backend nodes") + 1, f"    balance {balance}")
    return "\n".join(lines) + "\n"


def wait_until_ready(port: int) -> None:
    for _ in range(300):
        if is_ready(port):
            return
        sleep(0.1)
    raise TimeoutError(f"no node is ready behind port {port}")


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
            return True
    except OSError:
        return False

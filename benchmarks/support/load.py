"""Load by `wrk`, and free ports for servers."""

import argparse
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [=[{body}]=]
"""


def parser_of(name: str, description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The arguments of all benchmarks with `wrk`."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--seconds", type=int, default=2, help="of each load (default: 2)")
    parser.add_argument(
        "--rounds", type=int, default=rounds, help=f"the best counts (default: {rounds})"
    )
    return parser


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("this benchmark needs wrk (Debian: apt-get install wrk)")


def write_script(path: Path, body: bytes) -> Path:
    """Write a script with which wrk posts `body`."""
    path.write_text(SCRIPT.format(body=body.decode()))
    return path


def load(url: str, connections: int, script: Path, seconds: int) -> tuple[float, float, float]:
    """Requests a second, and the 50th and 99th percentile of the latency in ms."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "--latency"]
    report = subprocess.run(
        [*command, f"-s{script}", url], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        raise RuntimeError(report)
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", report)[1])  # type: ignore[index]
    return rate, percentile(report, 50), percentile(report, 99)


def percentile(report: str, percent: int) -> float:
    number, unit = re.search(rf"{percent}%\s+([0-9.]+)(us|ms|s)", report).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")

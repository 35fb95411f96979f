"""Throughput and latency of the running server, against an empty responder on the same server.

The two are asked in turn, several times, and the best of each counts: the machines are noisy, and
noise only ever slows down.
"""

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.payloads import FEATURES, SMALL_BODY, mlp

CONNECTIONS = (1, 8, 64)
ROUNDS = 5
SECONDS = 2
PATH = "/serve?servable_identifier=mlp.pt"
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [=[{body}]=]
"""


def main() -> None:
    if shutil.which("wrk") is None:
        sys.exit("the server benchmark needs wrk (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        model = mlp()
        model.save(models / "mlp.pt")
        script = models / "post.lua"
        script.write_text(SCRIPT.format(body=SMALL_BODY.decode()))
        ports = {"empty": free_port(), "ours": free_port()}
        commands = {
            "empty": ["benchmarks.empty_app", str(ports["empty"])],
            "ours": ["torch_serving", folder, "--port", str(ports["ours"])],
        }
        servers = [
            subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL)
            for command in commands.values()
        ]
        try:
            for port in ports.values():
                wait_until_open(port)
            check(ports["ours"], model)
            measure(ports, script)
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def measure(ports: dict[str, int], script: Path) -> None:
    print("\n| connections | empty rps | ours rps | ratio | target | ours p50, p99 ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for connections in CONNECTIONS:
        best = dict.fromkeys(ports, (0.0, 0.0, 0.0))
        for _ in range(ROUNDS):
            for name, port in ports.items():
                best[name] = max(best[name], load(port, connections, script))
        rate, p50, p99 = best["ours"]
        ratio = rate / best["empty"][0]
        print(
            f"| {connections} | {best['empty'][0]:,.0f} | {rate:,.0f} | {ratio:.2f} | >= 0.5 "
            f"| {p50:.2f}, {p99:.2f} |",
            flush=True,
        )


def load(port: int, connections: int, script: Path) -> tuple[float, float, float]:
    """Requests a second, and the 50th and 99th percentile of the latency in ms."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", f"-s{script}"]
    report = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{PATH}"], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in report:
        raise RuntimeError(report)
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", report)[1])  # type: ignore[index]
    return rate, percentile(report, 50), percentile(report, 99)


def percentile(report: str, percent: int) -> float:
    number, unit = re.search(rf"{percent}%\s+([0-9.]+)(us|ms|s)", report).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def check(port: int, model: torch.jit.ScriptModule) -> None:
    """The answers are right, and the model is warm."""
    expected = model(torch.from_numpy(FEATURES)).flatten().tolist()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(50):
        connection.request("POST", PATH, SMALL_BODY)
        answer = json.load(connection.getresponse())
        numbers = torch.tensor(answer["result"]["value"])
        torch.testing.assert_close(numbers, torch.tensor(expected))
    connection.close()


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


if __name__ == "__main__":
    main()

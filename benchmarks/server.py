"""Throughput and latency of the running server, against an empty responder on the same server.

The two are asked in turn, several times, and the best of each counts: the machines are noisy, and
noise only ever slows down.
"""

import http.client
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.load import free_port, load, require_wrk, wait_until_open, write_script
from benchmarks.payloads import FEATURES, SMALL_BODY, mlp

CONNECTIONS = (1, 8, 64)
ROUNDS = 5
SECONDS = 2
PATH = "/serve?servable_identifier=mlp.pt"


def main() -> None:
    require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        model = mlp()
        model.save(models / "mlp.pt")
        script = write_script(models / "post.lua", SMALL_BODY)
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
                url = f"http://127.0.0.1:{port}{PATH}"
                best[name] = max(best[name], load(url, connections, script, SECONDS))
        rate, p50, p99 = best["ours"]
        ratio = rate / best["empty"][0]
        print(
            f"| {connections} | {best['empty'][0]:,.0f} | {rate:,.0f} | {ratio:.2f} | >= 0.5 "
            f"| {p50:.2f}, {p99:.2f} |",
            flush=True,
        )


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


if __name__ == "__main__":
    main()

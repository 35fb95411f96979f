"""How soon `/healthcheck` responds while models run that take about a second.

`python -m benchmarks.export.health`. One client asks for the model again and again, another for the
health; its latencies count as long as the first one waits. The model is a chain of products of
matrices as TorchScript, program and package, and a loop that runs as Python.
"""

import argparse
import http.client
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.export.models import compiled
from benchmarks.support.process import Running, start

MOST_MS = 50.0
SIZE = 1024
PRODUCTS = 40
TURNS = 30_000


class Products(nn.Module):
    """Releases the interpreter's lock for all of its time, as TorchScript and as a package."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(SIZE, SIZE) / SIZE**0.5)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(PRODUCTS):
            x = x @ self.weight
        return x


class Turns(nn.Module):
    """Runs as Python, an operator at a time, for its part under autocast can't be TorchScript."""

    def forward(self, x: Tensor) -> Tensor:
        def is_on(turn: Tensor, x: Tensor) -> Tensor:
            return turn < TURNS

        def step(turn: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return turn + 1, (x.sin() + 1).cos()

        with torch.autocast("cpu", torch.bfloat16):
            x = x @ x
        start = torch.zeros((), dtype=torch.int64)
        return torch._higher_order_ops.while_loop(is_on, step, (start, x.float()))[1]


def save_trace(path: Path) -> None:
    torch.jit.trace(Products().eval(), torch.randn(SIZE, SIZE), check_trace=False).save(path)


def save_program(path: Path) -> None:
    torch.export.save(products(), path)


def products() -> Any:
    return torch.export.export(Products().eval(), (torch.randn(SIZE, SIZE),))


def save_package(path: Path) -> None:
    shutil.copyfile(compiled("products", products), path)


def save_python(path: Path) -> None:
    torch.export.save(torch.export.export(Turns().eval(), (torch.randn(8, 8),)), path)


FILES: dict[str, tuple[str, Callable[[Path], None], tuple[int, int]]] = {
    "TorchScript": ("trace.pt", save_trace, (SIZE, SIZE)),
    "program": ("program.pt2", save_program, (SIZE, SIZE)),
    "package": ("package.pt2", save_package, (SIZE, SIZE)),
    "program as Python": ("python.pt2", save_python, (8, 8)),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export.health", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each model (default: 5)")
    parser.add_argument("--only", metavar="WORD", default="", help="kinds with it in the name")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {kind: each for kind, each in FILES.items() if arguments.only in kind}
        for file_name, save, _ in files.values():
            save(folder / file_name)
        with start("torch_serving", str(folder), "--port", "{port}") as server:
            print("\n| runs as | a run, s | healthchecks | p50, p99, most, ms | target of p99 |")
            print("| --- | --- | --- | --- | --- |")
            for kind, (file_name, _, shape) in files.items():
                measure(server, kind, file_name, shape, arguments.runs)


def measure(server: Running, kind: str, file_name: str, shape: tuple[int, int], runs: int) -> None:
    body = safetensors_body(torch.zeros(shape))
    taken_s: list[float] = []
    post(server.port, file_name, body)
    asking = threading.Thread(
        target=lambda: taken_s.extend(post(server.port, file_name, body) for _ in range(runs))
    )
    asking.start()
    latencies_ms: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    while asking.is_alive():
        latencies_ms.append(health_ms(connection))
        time.sleep(0.005)
    latencies_ms.sort()
    p50, p99 = (latencies_ms[int(share * len(latencies_ms))] for share in (0.5, 0.99))
    times = f"{p50:.1f}, {p99:.1f}, {latencies_ms[-1]:.1f}"
    run_s = sum(taken_s) / len(taken_s)
    print(f"| {kind} | {run_s:.2f} | {len(latencies_ms)} | {times} | < {MOST_MS:.0f} |", flush=True)


def safetensors_body(x: Tensor) -> bytes:
    """The one argument `x` as safetensors, which take no time to read."""
    length = x.numel() * x.element_size()
    entry = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [0, length]}
    head = json.dumps({"x": entry}).encode()
    return len(head).to_bytes(8, "little") + head + x.numpy().tobytes()


def post(port: int, model: str, body: bytes) -> float:
    """Ask for a model; return the seconds that it took."""
    started_s = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    media_type = "application/vnd.safetensors"
    headers = {"Content-Type": media_type, "Accept": media_type}
    connection.request("POST", f"/serve?servable_identifier={model}", body, headers)
    response = connection.getresponse()
    content = response.read()
    assert response.status == 200, content[:300]
    connection.close()
    return time.perf_counter() - started_s


def health_ms(connection: http.client.HTTPConnection) -> float:
    started_s = time.perf_counter()
    connection.request("GET", "/healthcheck")
    response = connection.getresponse()
    response.read()
    assert response.status == 200
    return (time.perf_counter() - started_s) * 1e3


if __name__ == "__main__":
    main()

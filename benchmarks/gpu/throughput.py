"""The server on a device beside what the device can do without one, in the same run.

`python -m benchmarks.gpu.throughput`. One connection stands beside a loop of one row, many beside
one of MAX_BATCH rows: of the CUDA graph, or of the eager loop where there is none.
"""

import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import safetensors.torch
import torch

from benchmarks.gpu.limits import device_to_measure, limits, parser_of
from benchmarks.gpu.workloads import WORKLOADS, Workload
from benchmarks.server.binary import Message, write_script
from benchmarks.support.compare import Ratio, record
from benchmarks.support.load import load, require_wrk
from benchmarks.support.process import Running, start

MAX_BATCH = 32
TOLERANCE = 2e-2  # half precision
HEADS = "model | connections | limit, rows/s | requests/s | ratio | p50, p99 ms"


def main(words: Sequence[str] | None = None) -> None:
    parser = parser_of("throughput", __doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64])
    arguments = parser.parse_args(words)
    require_wrk()
    device = device_to_measure(arguments.device)
    print(f"| {HEADS} |\n| --- | --- | --- | --- | --- | --- |")
    for workload in WORKLOADS:
        if arguments.only in workload.name:
            bounds = {
                n: max(limits(workload, n, device, arguments.seconds)) for n in (1, MAX_BATCH)
            }
            measure(workload, device, bounds, arguments.connections, round(arguments.seconds))


def measure(
    workload: Workload,
    device: torch.device,
    bounds: dict[int, float],
    counts: Sequence[int],
    seconds: int,
) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = workload.model(device)
        model.save(folder / f"{workload.name}.pt")
        rows = workload.inputs(1)
        message = workload.message(workload.name, rows)
        flags = ["--device", str(device), "--batch", "*", "--max-batch", str(MAX_BATCH)]
        flags += ["--preload", "*.pt", "--port", "{port}"]
        server = stack.enter_context(start("torch_serving", str(folder), *flags))
        check(server, message, expected(model, rows, device))
        write_script(folder / "post", message)
        for connections in counts:
            for _ in range(2):  # the first warms up
                figures = load(
                    server.url(message.target), connections, folder / "post.lua", max(1, seconds)
                )
            bound = bounds[1 if connections == 1 else MAX_BATCH]
            print_row(f"{workload.name} on {device}", connections, bound, figures)


def expected(
    model: torch.jit.ScriptModule, rows: torch.Tensor, device: torch.device
) -> torch.Tensor:
    with torch.inference_mode():
        return model.to(device)(rows.to(device)).cpu()


def check(server: Running, message: Message, result: torch.Tensor) -> None:
    """Assert that the server gives the model's own result."""
    request = urllib.request.Request(server.url(message.target), message.body, message.headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        (tensor,) = safetensors.torch.load(response.read()).values()
    assert torch.allclose(tensor, result, TOLERANCE, TOLERANCE)


def print_row(
    name: str, connections: int, bound: float, figures: tuple[float, float, float]
) -> None:
    requests, p50, p99 = figures
    record(f"{name}, {connections} connections / no server", Ratio(requests / bound, "more"))
    cells = f"{bound:,.0f} | {requests:,.0f} | {requests / bound:.2f} | {p50:.2f}, {p99:.2f}"
    print(f"| {name} | {connections} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

"""What a device can do without a server: rows a second of a loop around the model.

`python -m benchmarks.gpu.limits`. Both loops copy pinned input to the device, run, and wait for the
result on the host. The eager one launches each kernel, the other replays a CUDA graph. With
`--device cpu` there is only the first.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.gpu.workloads import WORKLOADS, Workload

WARM_UP_RUNS = 6
Step = Callable[[], torch.Tensor]


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """The arguments of both benchmarks of this folder."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.gpu.{name}", description=description
    )
    parser.add_argument("--device", default="cuda", help="cpu: a rehearsal (default: cuda)")
    parser.add_argument("--seconds", type=float, default=2, help="of each load (default: 2)")
    parser.add_argument("--only", metavar="WORD", default="", help="models with it in the name")
    return parser


def eager_loop(model: torch.jit.ScriptModule, rows: torch.Tensor, device: torch.device) -> Step:
    return lambda: model(rows.to(device, non_blocking=True)).cpu()


def graph_loop(model: torch.jit.ScriptModule, rows: torch.Tensor, device: torch.device) -> Step:
    """Raises RuntimeError for a model that can't be captured."""
    static = rows.to(device)
    stream = torch.cuda.Stream(device)
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_RUNS):
            model(static)
    torch.cuda.synchronize(device)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = model(static)

    def replay() -> torch.Tensor:
        static.copy_(rows, non_blocking=True)
        graph.replay()
        return result.cpu()

    return replay


def rate(step: Step, rows: int, seconds: float) -> float:
    """Rows a second."""
    for _ in range(WARM_UP_RUNS):
        step()
    runs, started_s = 0, time.perf_counter()
    while time.perf_counter() - started_s < seconds:
        step()
        runs += 1
    return runs * rows / (time.perf_counter() - started_s)


def limits(workload: Workload, rows: int, device: torch.device, seconds: float) -> list[float]:
    """Rows a second of the eager loop and, on a GPU, of the graph."""
    model = workload.model(device).to(device)
    inputs = workload.inputs(rows)
    loops = [eager_loop]
    if device.type == "cuda":
        inputs = inputs.pin_memory()
        loops.append(graph_loop)
    with torch.inference_mode():
        return [rate(loop(model, inputs, device), rows, seconds) for loop in loops]


def device_to_measure(name: str) -> torch.device:
    """Print what is measured, and return the device."""
    device = torch.device(name)
    torch.set_num_threads(1)  # on a busy machine, threads of OpenMP wait for each other
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"\n{card}, torch {torch.__version__}\n")
    return device


def main(words: Sequence[str] | None = None) -> None:
    parser = parser_of("limits", __doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 32])
    arguments = parser.parse_args(words)
    device = device_to_measure(arguments.device)
    print("| model | rows | loop, rows/s | CUDA graph, rows/s | graph / loop |")
    print("| --- | --- | --- | --- | --- |")
    for workload in WORKLOADS:
        for rows in arguments.rows if arguments.only in workload.name else ():
            eager, *graph = limits(workload, rows, device, arguments.seconds)
            cells = f"{graph[0]:,.0f} | {graph[0] / eager:.2f}" if graph else "|"
            print(f"| {workload.name} | {rows} | {eager:,.0f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

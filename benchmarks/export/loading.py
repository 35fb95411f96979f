"""Loading a program of 100 MB, beside `torch.export.load` and TorchScript, in turn.

`python -m benchmarks.export.loading`. Each is in the files that the kernel has cached, and in a
process that has imported what it needs. The server also reads the checksums of a file; that is the
column of its check.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from benchmarks.support.compare import Ratio, record
from torch_serving.models.backends.registry import backend_of, verify
from torch_serving.models.files import open_file, open_regular

MOST = 1.5
LAYERS = 25  # of 1024 x 1024 float32


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(LAYERS))).eval()


def best_s(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The shortest time of each, in turn; the first round warms up."""
    best = dict.fromkeys(ways, float("inf"))
    for number in range(rounds + 1):
        for name, way in ways.items():
            started_s = time.perf_counter()
            way()
            elapsed_s = time.perf_counter() - started_s
            best[name] = min(best[name], elapsed_s) if number else best[name]
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.export.loading", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5, help="the best counts (default: 5)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        program, trace = Path(name, "program.pt2"), Path(name, "trace.pt")
        example = torch.randn(1, 1024)
        torch.export.save(torch.export.export(module(), (example,)), program)
        torch.jit.trace(module(), example).save(trace)
        times_s = best_s(
            arguments.rounds,
            {
                "torch.export.load": lambda: torch.export.load(program),
                "the server's load": lambda: load(program),
                "the server's check": lambda: verify(program, program.name),
                "TorchScript, the server's load": lambda: load(trace),
            },
        )
    print(f"\n| {program.name} of {LAYERS * 1024 * 1025 * 4 / 1e6:.0f} MB | ms |\n| --- | --- |")
    for name, elapsed_s in times_s.items():
        print(f"| {name} | {elapsed_s * 1e3:.0f} |")
    ratio = times_s["the server's load"] / times_s["torch.export.load"]
    print(f"\nthe server's load / torch.export.load: {ratio:.2f} (<= {MOST})")
    record("program of 100 MB, load / torch.export.load", Ratio(ratio, "less"))


def load(path: Path) -> object:
    descriptor = open_regular(path)
    try:
        backend = backend_of(path, path.name)
        return backend.load(open_file(descriptor, path), torch.device("cpu"))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()

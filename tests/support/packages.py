"""A model that is exported and compiled once for all tests: that takes half a minute."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

MAX_BATCH = 64


class Compiled(NamedTuple):
    """An exported program, the file of `torch-serving compile`, and what the command wrote."""

    program: Path
    package: Path
    out: str
    err: str


class Mlp(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(16, 64)
        self.output = torch.nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(torch.relu(self.hidden(x)))


def save_program(path: Path, is_dynamic: bool = True) -> None:
    """Export an MLP for batches of 1 to 64, or for two rows."""
    from torch.export import Dim  # takes half a second

    torch.manual_seed(0)
    batch = Dim("batch", min=1, max=MAX_BATCH)
    shapes = {"x": {0: batch}} if is_dynamic else None
    program = torch.export.export(Mlp().eval(), (torch.randn(2, 16),), dynamic_shapes=shapes)
    torch.export.save(program, path)


def compile_once(factory: pytest.TempPathFactory) -> Compiled:
    """Compile, or wait for another process of the same tests that does."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in ("mlp.pt2", "mlp.compiled.pt2", "out", "err")]
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not paths[1].exists():
            save_program(paths[0])
            compile_file(paths)
    return Compiled(paths[0], paths[1], paths[2].read_text(), paths[3].read_text())


def compile_file(paths: list[Path]) -> None:
    command = [sys.executable, "-m", "torch_serving", "compile", str(paths[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    paths[2].write_text(done.stdout)
    paths[3].write_text(done.stderr)


# Compiled in a process of its own: torch's compiler leaves much behind.
ODD = """
import sys
import warnings

import torch
from torch.export import Dim

warnings.simplefilter("ignore")


class Odd(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(10, 4)
        self.register_buffer("weight", torch.arange(6.0).reshape(2, 3))
        self.register_buffer("runs", torch.zeros(1))

    def forward(self, x, ids, *, scale=None):
        y = x * 2
        self.runs.add_(1)
        return {
            "input": x,
            "weight": self.weight,
            "twice": y,
            "again": y,
            "transposed": (x + 1).t(),
            "half": x.to(torch.bfloat16),
            "positive": x > 0,
            "total": x.sum(),
            "rows": self.table(ids),
            "number": 3,
            "nothing": None,
        }


torch.manual_seed(0)
arguments = (torch.zeros(3, 4), torch.zeros(5, dtype=torch.long))
shapes = {"x": {0: Dim("rows", min=0, max=8)}, "ids": None, "scale": None}
program = torch.export.export(
    Odd().eval(), arguments, {"scale": None}, dynamic_shapes=shapes, strict=False
)
options = {"cpp.threads": 1}
torch._inductor.aoti_compile_and_package(
    program, package_path=sys.argv[1], inductor_configs=options
)
torch.export.save(program, sys.argv[2])
"""


class Odd(NamedTuple):
    """A package without its program, and the program."""

    package: Path
    program: Path


def compile_odd(factory: pytest.TempPathFactory) -> Odd:
    """A package whose results are of all kinds."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(exist_ok=True)
    odd = Odd(folder / "odd.pt2", folder / "odd.program.pt2")
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not odd.program.exists():
            command = [sys.executable, "-c", ODD, str(odd.package), str(odd.program)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return odd

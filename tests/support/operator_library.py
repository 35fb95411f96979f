"""Python modules that define an operator each, and models that need them.

Operators stay for as long as a process, so models are made in another one.
"""

import subprocess
import sys
from pathlib import Path

LIBRARY = """
import torch
LIBRARY = torch.library.Library("{name}", "DEF")
LIBRARY.define("twice(Tensor x) -> Tensor")
LIBRARY.impl("twice", lambda x: x * 2, "CPU")
"""
SAVE = """
import importlib, sys, torch

folder, *names = sys.argv[1:]
for name in names:
    importlib.import_module(name)
    operator = getattr(getattr(torch.ops, name), "twice")
    traced = torch.jit.trace(lambda x: operator(x), torch.ones(1))
    traced.save(f"{folder}/{name}.pt")
"""


def save_libraries(modules: Path, models: Path, *names: str) -> None:
    """For each name, write a module with an operator, and save a model that needs it."""
    for name in names:
        (modules / f"{name}.py").write_text(LIBRARY.format(name=name))
    command = [sys.executable, "-W", "ignore", "-c", SAVE, str(models), *names]
    subprocess.run(command, check=True, cwd=modules)

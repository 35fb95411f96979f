"""Exported programs and packages of the zoo, as files."""

import importlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tests.support.zoo.model import ZooModel
from torch_serving.models.compilation.package import compile_program, write_package


def save_program(model: ZooModel, path: Path) -> Path:
    """Write the program of a model, unless the file is there."""
    if not path.exists():
        with without_warnings():
            torch.export.save(program(model), path)
    return path


def save_package(model: ZooModel, path: Path) -> Path:
    """Write a file of a program and its package, as `torch-serving compile` does."""
    if not path.exists():
        with without_warnings(), tempfile.TemporaryDirectory() as folder:
            # ranges of dimensions are as the file says once the program was read from it
            exported = torch.export.load(save_program(model, Path(folder, "program.pt2")))
            write_package(path, exported, compile_program(exported, "cpu"))
    return path


def program(model: ZooModel) -> Any:
    """Export a model."""
    for name in model.imports:
        importlib.import_module(name)
    inputs = model.arguments()
    exported = torch.export.export(
        model.module(),
        inputs.positional,
        dict(inputs.by_keyword),
        dynamic_shapes=model.dynamic_shapes,
    )
    return exported.run_decompositions() if model.decomposes else exported


@contextmanager
def without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

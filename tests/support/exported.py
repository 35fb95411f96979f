"""Programs of torch.export that tests make: their documents and files."""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def export(
    model: torch.nn.Module,
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any] | None = None,
    shapes: Any = None,
) -> torch.export.ExportedProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(
            model.eval(), arguments, dict(keywords or {}), dynamic_shapes=shapes, strict=False
        )


def document_of(program: torch.export.ExportedProgram) -> dict[str, Any]:
    """The document that a file of the program holds."""
    file = io.BytesIO()
    torch.export.save(program, file)
    with zipfile.ZipFile(file) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith("models/model.json")]
        document: dict[str, Any] = json.loads(archive.read(name))
    return document


def save(program: torch.export.ExportedProgram, path: Path) -> Path:
    torch.export.save(program, path)
    return path

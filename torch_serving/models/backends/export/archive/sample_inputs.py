"""The inputs with which a program was exported, where they can be read without running anything."""

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.contents import contents_of, open_archive
from torch_serving.models.backends.export.archive.entries import check_entries
from torch_serving.models.backends.interfaces import SampleInputs

SAMPLE_INPUTS = "data/sample_inputs/"
MAX_BYTES = 64 << 20
MAX_DEPTH = 32
ENTRY, MAX_ENTRIES = b"PK\x01\x02", 10_000  # in the directory of an archive
CAN_NOT_BE_READ = (
    pickle.UnpicklingError, InvalidServable, RuntimeError, ValueError, TypeError, KeyError,
    AttributeError, IndexError, EOFError, OSError, NotImplementedError, RecursionError,
    AssertionError, zipfile.BadZipFile,
)  # fmt: skip


def read_sample_inputs(path: Path, max_bytes: int = MAX_BYTES) -> SampleInputs | None:
    """Read the sample inputs of a program that was verified, on the CPU.

    None where there are none, and where they are large or of classes that torch does not read as
    plain data.
    """
    with open_archive(path) as archive:
        held = contents_of(archive)
        entry = archive.NameToInfo.get(f"{held.root}{SAMPLE_INPUTS}{held.program}.pt")
        if entry is None or not 0 < entry.file_size <= max_bytes:
            return None
        data = archive.read(entry)
    if data.count(ENTRY) > MAX_ENTRIES:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            check_entries(inner, len(data))
        inputs = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        args, kwargs = inputs
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            return None
        held_bytes = sum(each.numel() * each.itemsize for each in tensors_in((args, kwargs), 0))
    except CAN_NOT_BE_READ:
        return None
    return SampleInputs(args, kwargs) if held_bytes <= max_bytes else None


def tensors_in(value: Any, depth: int) -> Iterator[torch.Tensor]:
    """Yield all tensors. Raises RecursionError for what is nested too deep."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, torch.Tensor):
        yield value
    inner = value.values() if isinstance(value, dict) else value
    for each in inner if isinstance(value, (dict, list, tuple)) else ():
        yield from tensors_in(each, depth + 1)

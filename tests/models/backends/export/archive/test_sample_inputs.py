"""The sample inputs of an archive, and those that can't be read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.changed_archives import program
from tests.support.export_archives import SAMPLE_INPUTS, saved
from torch_serving.models.backends.export.archive.contents import verify
from torch_serving.models.backends.export.archive.sample_inputs import read_sample_inputs


def test_sample_inputs_are_read(tmp_path: Path):
    path = tmp_path / "m.pt2"
    path.write_bytes(program())
    inputs = read_sample_inputs(path)
    assert inputs is not None
    assert [each.tolist() for each in inputs.args] == [[1.0, 1.0]]
    assert inputs.kwargs == {}


class Own:
    """A class that a pickle may name, and that nobody may make."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exit, (3,))


def deflated(data: bytes) -> bytes:
    """The same zip archive, compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return packed.getvalue()


def deep_list() -> list[Any]:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    return value


NO_SAMPLES = {
    "none": None,
    "empty": b"",
    "no pickle": b"text",
    "a class": saved(((Own(),), {})),
    "one tensor": saved(torch.ones(2)),
    "other values": saved((1, 2)),
    "a huge view": saved(((torch.zeros(1).expand(1 << 40),), {})),
    "a bomb": deflated(saved(((torch.zeros(1000),), {}))),
    "deep": saved(((deep_list(),), {})),
    "many entries": b"PK\x01\x02" * 10_001,
    "cut": saved(((torch.ones(2),), {}))[:-200],
}


@pytest.mark.parametrize("data", NO_SAMPLES.values(), ids=NO_SAMPLES)
def test_sample_inputs_that_can_not_be_read_are_none(tmp_path: Path, data: bytes | None):
    path = tmp_path / "m.pt2"
    path.write_bytes(program(**{SAMPLE_INPUTS: data}))
    verify(path)
    assert read_sample_inputs(path) is None

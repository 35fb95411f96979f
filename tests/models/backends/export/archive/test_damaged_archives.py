"""A damaged archive is refused, or read as what it was."""

import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.changed_archives import directory_of, document_in, program
from tests.support.export_archives import WEIGHT
from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.contents import verify
from torch_serving.models.backends.export.archive.sample_inputs import read_sample_inputs

DAMAGES = 200


def outcome(path: Path) -> Any:
    """What is read of an archive, or that it is refused; anything else is an error."""
    try:
        verify(path)
        document, samples = document_in(path), read_sample_inputs(path)
    except InvalidServable as error:
        return "a wrong message" if "\n" in error.detail else "refused"
    with zipfile.ZipFile(path) as file:
        weight = file.read(f"m/{WEIGHT}")
    return document, weight, None if samples is None else samples.args[0].tolist()


def damaged_at(data: bytes, at: int, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[at] ^= 1 << bit
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_archive_is_refused_or_equal(tmp_path: Path, seed: int):
    path = tmp_path / "m.pt2"
    data = program()
    path.write_bytes(data)
    whole = outcome(path)
    assert whole != "refused"
    numbers = random.Random(seed)
    directory = directory_of(data)
    for number in range(DAMAGES):
        # the directory at the end is small, and decides how everything is read
        first = directory if number % 2 else 0
        path.write_bytes(damaged_at(data, numbers.randrange(first, len(data)), number % 8))
        assert outcome(path) in ("refused", whole)
    for _ in range(DAMAGES // 4):
        path.write_bytes(data[: numbers.randrange(len(data))])
        assert outcome(path) == "refused"

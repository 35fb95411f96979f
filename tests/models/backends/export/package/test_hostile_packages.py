"""Packages that are odd: each is refused in one line, before anything of it runs."""

from pathlib import Path

import pytest
import torch

from tests.support.export_archives import entries_of_package, entries_of_program, packed
from torch_serving.errors import InvalidServable
from torch_serving.models.loader import load

CPU = torch.device("cpu")
FOLDER = "data/aotinductor/model/"
LIBRARY, METADATA = f"{FOLDER}m.wrapper.so", f"{FOLDER}m.wrapper_metadata.json"
UNREADABLE = "the metadata of its package can't be read"

ODD: dict[str, tuple[dict[str, bytes | None], str]] = {
    "deep metadata": ({METADATA: b"[" * 10**6}, UNREADABLE),
    "no object": ({METADATA: b"[]"}, UNREADABLE),
    "no text": ({METADATA: b"\xff"}, UNREADABLE),
    "nothing": ({METADATA: b""}, UNREADABLE),
    "another system": ({METADATA: b'{"AOTI_PLATFORM": "beos"}'}, "is compiled for beos"),
    "a line break": ({METADATA: b'{"AOTI_PLATFORM": "a\\nb"}'}, "is compiled for 'a\\nb'"),
    "half a pair": ({METADATA: b'{"AOTI_PLATFORM": "\\ud800"}'}, "compiled for '\\ud800'"),
    "a long word": ({METADATA: b'{"AOTI_PLATFORM": "%s"}' % (b"x" * 10**6)}, "is compiled for x"),
    "another device": ({METADATA: b'{"AOTI_DEVICE_KEY": "xpu"}'}, "is compiled for the device xpu"),
    "no library": ({LIBRARY: None}, "it holds the source of a package, not its library"),
    "no metadata": ({METADATA: None}, "no library with metadata"),
    "an empty library": ({LIBRARY: b""}, "the library in its package is damaged"),
    "no code": ({LIBRARY: b"\x7fELF" + bytes(1000)}, "is no library of 64 bits"),
    "weights apart": ({f"{FOLDER}weights_config.json": b"{}"}, "the weights of its package"),
}  # fmt: skip


def write(path: Path, changes: dict[str, bytes | None], others: dict[str, bytes]) -> Path:
    entries: dict[str, bytes | None] = {**others, **entries_of_package(), **changes}
    path.write_bytes(packed({name: each for name, each in entries.items() if each is not None}))
    return path


@pytest.mark.parametrize(("changes", "problem"), ODD.values(), ids=ODD)
def test_an_odd_package_is_refused(tmp_path: Path, changes: dict[str, bytes | None], problem: str):
    with pytest.raises(InvalidServable) as caught:
        load(write(tmp_path / "m.pt2", changes, {}), CPU)
    assert problem in caught.value.detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 500


@pytest.mark.parametrize(("changes", "problem"), ODD.values(), ids=ODD)
def test_the_program_beside_it_runs(tmp_path: Path, changes: dict[str, bytes | None], problem: str):
    servable = load(write(tmp_path / "m.pt2", changes, entries_of_program()), CPU)
    method = servable.main_method()
    assert method.run(method.decode(b"[[1, 2]]")).tolist() == [11.0, 22.0]
    assert problem in servable.program.runs

"""A file that is written to where it lies: old or new is served, never parts of both."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.export_archives import entries_of_program, packed
from tests.support.model_folder import ModelFolder
from tests.support.process import Process
from torch_serving.errors import InvalidServable
from torch_serving.models import written_files
from torch_serving.models.files import file_stat, open_regular
from torch_serving.models.written_files import FileChanging, is_being_written, stable

OLD, NEW = b"old" * 1000, b"new" * 1000


def write_in_place(path: Path, content: bytes, start: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content[start:])


def set_age(path: Path) -> None:
    """Let the last write to a file be so long ago that each later one changes its stat."""
    while written_files.age_s(file_stat(os.stat(path))) < written_files.TICK_S:
        pass


def misread(path: Path, change: Callable[[Path], object]) -> None:
    change(path)
    raise InvalidServable("what its parts led to")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "m.pt").write_bytes(OLD)
    set_age(tmp_path / "m.pt")
    return tmp_path / "m.pt"


CHANGES: list[Callable[[Path], object]] = [
    lambda path: write_in_place(path, NEW),
    lambda path: write_in_place(path, NEW, start=len(NEW) - 1),
    lambda path: write_in_place(path, OLD),
    lambda path: os.truncate(path, 10),
    lambda path: write_in_place(path, NEW + NEW, start=len(NEW)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_written_while_a_file_is_read_is_noticed(
    path: Path, change: Callable[[Path], object]
):
    descriptor = open_regular(path)
    with pytest.raises(FileChanging), stable(descriptor):
        change(path)
    set_age(path)
    with pytest.raises(FileChanging), stable(descriptor):
        misread(path, change)
    os.close(descriptor)


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_stays_as_it_was_checked(path: Path, change: Callable[[Path], object]):
    descriptor = open_regular(path)
    with stable(descriptor, as_copy=True) as copy:
        change(path)
        assert os.pread(copy, 1 << 20, 0) == OLD
    os.close(descriptor)


def test_a_file_too_large_for_a_copy_is_watched(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(written_files, "MAX_COPY_BYTES", 10)
    descriptor = open_regular(path)
    with stable(descriptor, as_copy=True) as same:
        assert same == descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("age_s", "same_inode", "expected"),
    [(0.0, True, True), (0.0, False, False), (60.0, True, False), (-60.0, True, False)],
)
def test_only_what_was_written_just_now_may_not_be_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float, same_inode: bool, expected: bool
):
    file = file_stat(os.stat(path))
    served = (file[0] - 1, file[1] if same_inode else file[1] + 1, *file[2:])
    monkeypatch.setattr(written_files, "age_s", lambda _: age_s)
    assert is_being_written(file, served) is expected
    assert not is_being_written(served, served)


def test_a_cold_model_is_loaded_once_its_file_is_whole(folder: ModelFolder):
    """The first look finds a part, and the rest is written after it."""
    folder.write("a.pt")
    pieces = [b"", b"more ", b"all"]

    def check(path: Path) -> None:
        if pieces:
            path.write_bytes(path.read_bytes() + pieces.pop(0))
            raise InvalidServable("not whole")

    folder.before_load = check
    assert folder.ask("a.pt").content == b"a.ptmore all"


def test_the_old_model_serves_while_the_file_is_written(folder: ModelFolder):
    folder.write("a.pt")
    old = folder.ask("a.pt")

    def refuse(path: Path) -> None:
        raise FileChanging

    folder.before_load = refuse
    (folder.root / "a.pt").write_bytes(b"half")
    assert [folder.ask("a.pt") for _ in range(3)] == [old] * 3
    assert old.warning == ""
    folder.before_load = lambda path: None
    (folder.root / "a.pt").write_bytes(b"whole")
    old.look_again_s = 0.0
    assert folder.ask("a.pt").content == b"whole"


def is_of_one_version(result: Any) -> bool:
    """Whether all numbers of a result are equal: two tensors, or the numbers of one."""
    values = [each["value"] for each in result] if isinstance(result, list) else result["value"]
    return bool(values[0] == values[1])


def save_program(path: Path, number: float) -> bytes:
    data = packed(entries_of_program(number, number))
    path.write_bytes(data)
    return data


def save(path: Path, number: float) -> bytes:
    class Model(torch.jit.ScriptModule):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.full((300_000,), number), requires_grad=False)

    model = Model()
    head = "def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:"
    model.define(f"{head}\n    return self.w.min(), self.w.max()\n")
    model.save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "save", "flags"),
    [
        ("m.pt", save, ()),
        ("m.pt", save, ("--workers", "2")),
        ("m.pt", save, ("--watch",)),
        ("m.pt", save, ("--preload", "*")),
        ("m.pt2", save_program, ()),
        ("m.pt2", save_program, ("--watch",)),
    ],
)
def test_responses_are_of_one_version(
    tmp_path: Path,
    start: Callable[..., Process],
    name: str,
    save: Callable[[Path, float], bytes],
    flags: tuple[str, ...],
):
    root = tmp_path / "root"
    root.mkdir()
    versions = [save(tmp_path / "build.pt", float(number)) for number in (1, 2)]
    (root / name).write_bytes(versions[0])
    piece = len(versions[0]) // 12
    process = start(root, "--port", "0", *flags)
    done, answered = threading.Event(), threading.Event()

    def keep_writing() -> None:
        number = 0
        while not done.is_set():
            number = 1 - number
            for offset in range(0, len(versions[0]), piece):
                with (root / name).open("r+b") as file:
                    file.seek(offset)
                    file.write(versions[number][offset : offset + piece])
                done.wait(0.002)
            answered.clear()
            while not done.is_set() and not answered.wait(0.1):
                pass

    with Client(process.url) as client:
        writer = threading.Thread(target=keep_writing)
        writer.start()
        try:
            for _ in range(150):
                response = client.post(name, [tensor([2], [1.0, 1.0])])
                answered.set()
                assert response.status == 200
                assert is_of_one_version(response.result)
        finally:
            done.set()
            writer.join()
    assert "not served" not in process.stderr

"""Listings: only regular files inside the root whose names can be asked for."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torch_serving.models.repository import ModelRepository


def add_fifo(root: Path) -> None:
    os.mkfifo(root / "pipe.pt")


def add_link_outside(root: Path) -> None:
    outside = root.parent / "outside.pt"
    outside.write_bytes(b"secret")
    (root / "link.pt").symlink_to(outside)


def add_dead_link(root: Path) -> None:
    (root / "dead.pt").symlink_to("none")


def add_folder(root: Path) -> None:
    (root / "folder.pt").mkdir()


def add_name_not_utf8(root: Path) -> None:
    (root / os.fsdecode(b"\xff.pt")).touch()


ODD = [add_fifo, add_link_outside, add_dead_link, add_folder, add_name_not_utf8]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    for name in ("m.pt", "sub/m.pt"):
        (root / name).touch()
    return root


@pytest.mark.parametrize("add", ODD)
def test_what_cannot_be_served_is_not_listed(root: Path, add: Any) -> None:
    add(root)
    assert ModelRepository(root).names() == ["m.pt", "sub/m.pt"]


@pytest.mark.parametrize("name", ["pipe.pt", "link.pt"])
def test_nothing_is_told_of_a_pipe_or_of_a_file_outside(root: Path, name: str) -> None:
    add_fifo(root)
    add_link_outside(root)
    assert ModelRepository(root).file_facts(name) == {"bytes": None, "version": None}


def test_a_link_inside_is_listed(root: Path) -> None:
    (root / "link.pt").symlink_to("sub/m.pt")
    assert ModelRepository(root).names() == ["link.pt", "m.pt", "sub/m.pt"]


def test_a_folder_that_vanishes_has_no_models(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def vanish(path: Any) -> Iterator[os.DirEntry[str]]:
        if path == str(root / "sub"):
            shutil.rmtree(path, ignore_errors=True)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert ModelRepository(root).names() == ["m.pt"]

"""Which files identifiers name; what is loaded is seen from its paths."""

import os
import shutil
import tracemalloc
from pathlib import Path

import pytest

from tests.support.model_folder import ModelFolder
from torch_serving.errors import InvalidServable


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        ".",
        "..",
        "../secret.pt",
        "sub/../../secret.pt",
        "./../secret.pt",
        "/etc/passwd",
        "//etc/passwd",
        "%2e%2e/secret.pt",
        "..%2fsecret.pt",
        "a.pt\0",
        "\0",
        "..\\secret.pt",
        "out.pt",
        "elsewhere/secret.pt",
        "elsewhere/../secret.pt",
        "loop.pt",
        "dangling.pt",
        "null.pt",
        "pipe.pt",
        "socket.pt",
        "sub",
        "sub/",
        "none.pt",
        "a.pt/none.pt",
        "x" * 300,
        "x" * 100_000,
        "x/" * 5000,
        "\udcff.pt",
    ],
)
def test_nothing_but_files_below_the_root_is_opened(folder: ModelFolder, identifier: str):
    root, outside = folder.root, folder.root.parent
    folder.write("a.pt")
    (root / "sub").mkdir()
    (outside / "secret.pt").write_bytes(b"")
    (root / "out.pt").symlink_to(outside / "secret.pt")
    (root / "elsewhere").symlink_to(outside)
    (root / "loop.pt").symlink_to("loop.pt")
    (root / "dangling.pt").symlink_to("nowhere.pt")
    (root / "null.pt").symlink_to("/dev/null")
    os.mkfifo(root / "pipe.pt")
    for _ in range(2):
        with pytest.raises(InvalidServable) as caught:
            folder.ask(identifier)
        assert caught.value.detail.endswith("`: there is no such file below the model root")
        assert len(caught.value.detail) < 200
    assert folder.loads == []
    assert folder.models.cache.stats().size == 0


@pytest.mark.parametrize("identifier", ["in.pt", "sub/link.pt", "./a.pt", "sub/../a.pt", "a.pt/"])
def test_links_that_stay_below_the_root(folder: ModelFolder, identifier: str):
    folder.write("a.pt")
    (folder.root / "sub").mkdir()
    (folder.root / "in.pt").symlink_to("a.pt")
    (folder.root / "sub" / "link.pt").symlink_to("../in.pt")
    assert folder.ask(identifier).content == b"a.pt"
    assert folder.loads == [folder.root / "a.pt"]


def test_a_root_that_is_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    folder = ModelFolder(tmp_path / "link")
    folder.write("a.pt")
    assert folder.ask("a.pt").path == tmp_path / "real" / "a.pt"


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_root_that_is_a_link_is_followed_wherever_it_points_next(
    tmp_path: Path, is_watched: bool
):
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "a.pt").write_text(release)
        (tmp_path / release / f"only{release}.pt").write_text(release)
    (tmp_path / "current").symlink_to("1")
    folder = ModelFolder(tmp_path / "current")
    if is_watched:
        folder.models.watch()
    first = [folder.ask(name).content for name in ("a.pt", "only1.pt")]
    (tmp_path / "next").symlink_to("2")
    os.replace(tmp_path / "next", tmp_path / "current")
    shutil.rmtree(tmp_path / "1")
    if is_watched:
        folder.models.refresh()
    assert (first, folder.ask("a.pt").content) == ([b"1", b"1"], b"2")
    assert folder.models.repository.names() == ["a.pt", "only2.pt"]
    with pytest.raises(InvalidServable):
        folder.ask("only1.pt")
    folder.models.close()


def test_spellings_of_one_name_are_one_model(folder: ModelFolder):
    folder.write("a.pt")
    assert folder.ask("a.pt") is folder.ask("./a.pt") is folder.ask("b/../a.pt")
    assert len(folder.loads) == 1


@pytest.mark.parametrize("length", [20, 20_000])
def test_unknown_identifiers_take_no_memory(folder: ModelFolder, length: int):
    def ask_for(numbers: range) -> None:
        for number in numbers:
            with pytest.raises(InvalidServable):
                folder.ask(f"{number:0{length}d}.pt")

    ask_for(range(100))
    tracemalloc.start()
    try:
        ask_for(range(100, 20_000))
        grown_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown_bytes < 8 << 20  # a cache of a few thousand short names
    assert folder.models.cache.stats().size == 0
    assert folder.loads == []

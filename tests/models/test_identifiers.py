"""Any identifier is the file below the root that its parts spell, or is refused."""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.model_folder import CPU, ModelFolder
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable
from torch_serving.model_config import MAX_IDENTIFIER_BYTES
from torch_serving.models.identifiers import normalize, utf8

FILES = ["a.pt", "sub/b.pt", "sub/deep/c.pt"]
PARTS = [
    *("..", ".", "", "a.pt", "b.pt", "c.pt", "sub", "deep", "in.pt", "up.pt", "subs", "out.pt"),
    *("elsewhere", "secret.pt", "root", "root2", "loop.pt", "dangling.pt", "pipe.pt", "folder.pt"),
    *("null.pt", "...", "..\0", "\0", "%2e%2e", "~", "..\\", "é.pt", "\udcff", "\ud800", "x" * 300),
]
IDENTIFIERS = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=9).map("/".join),
    st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=9).map("/".join),
    st.text(st.sampled_from("./\\\0a"), max_size=12),
    st.text(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelFolder]:
    """A root with links of all kinds, and files beside it that nobody may read."""
    outside = tmp_path_factory.mktemp("outside")
    root = outside / "root"
    for directory in (root / "sub" / "deep", root / "folder.pt", outside / "root2"):
        directory.mkdir(parents=True)
    for path in (*(root / name for name in FILES), outside / "secret.pt", outside / "root2/a.pt"):
        path.write_bytes(b"")
    links = {
        "in.pt": "a.pt",
        "sub/up.pt": "../a.pt",
        "subs": "sub",
        "sub/deep/in.pt": root / "a.pt",
    }
    links |= {"out.pt": "../secret.pt", "elsewhere": "..", "sub/out.pt": "/etc/passwd"}
    links |= {"loop.pt": "loop.pt", "dangling.pt": "none.pt", "null.pt": "/dev/null"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe.pt")
    folder = ModelFolder(root)
    yield folder
    folder.models.close()


def spelled(root: Path, identifier: str) -> Path | None:
    """The file that an identifier spells, or None if it must be refused."""
    parts: list[str] = []
    if (
        identifier.startswith("/")
        or "\0" in identifier
        or len(utf8(identifier)) > MAX_IDENTIFIER_BYTES
    ):
        return None
    for part in identifier.split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    try:
        path = Path(os.path.realpath(root.joinpath(*parts)))
    except UnicodeEncodeError:
        return None
    return path if path in [root / name for name in FILES] else None


@given(IDENTIFIERS)
@example("elsewhere/root/a.pt")  # out and in again: what counts is where it ends
@example("out\0/../a.pt")
@example("\ud800.pt")
@example("sub/" * 300 + "../" * 300 + "a.pt")
def test_an_identifier_is_the_file_that_it_spells(folder: ModelFolder, identifier: str):
    expected = spelled(folder.root, identifier)
    if expected is None:
        with pytest.raises(InvalidServable) as caught:
            folder.models.repository.placement.choose(identifier, DevicePool("cpu"))
        assert str(folder.root) not in caught.value.detail
        with pytest.raises(InvalidServable):
            folder.models.preload(identifier, CPU)
    else:
        assert folder.models.repository.placement.choose(identifier, DevicePool("cpu")) == CPU
        assert folder.models.preload(identifier, CPU).path == expected
        assert folder.models.get(identifier, CPU) is not None
    assert all(path.is_relative_to(folder.root) for path in folder.loads)


@given(IDENTIFIERS)
def test_a_name_stays_below_the_root_and_is_its_own_name(identifier: str):
    try:
        name = normalize(identifier)
    except InvalidServable:
        return
    assert normalize(name) == name
    assert posixpath.normpath(f"/root/{name}") == f"/root/{name}"

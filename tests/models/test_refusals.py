"""What is refused in place of a loaded model: the old one serves until anything changes."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.support.model_folder import CPU, FakeServable, ModelFolder
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable

MISTAKES = {
    'device = "cuda:77"': "m.toml line 1: `cuda:77` is not a device",
    'batch = true\ndevice = "nowhere"': "m.toml line 2: `nowhere` is not a device",
    "max_batch = 'x'": "m.toml line 1: `max_batch`",
    "bach = true": "m.toml line 1: unknown key",
    "batch =": "m.toml: ",
}


def ask(folder: ModelFolder) -> FakeServable:
    """What a request does, which does not say a device."""
    device = folder.models.repository.placement.choose("m.pt", DevicePool("cpu"))
    return folder.ask("m.pt", device)


def replace(folder: ModelFolder, content: bytes) -> None:
    (folder.root / "new").write_bytes(content)
    os.replace(folder.root / "new", folder.root / "m.pt")


def list_digest(folder: ModelFolder) -> None:
    digest = hashlib.sha256((folder.root / "m.pt").read_bytes()).hexdigest()
    (folder.root / "models.sha256").write_text(f"{digest}  m.pt\n")


@pytest.fixture
def loaded(folder: ModelFolder) -> FakeServable:
    folder.write("m.pt")
    return ask(folder)


def test_a_refused_file_is_tried_again_once_the_manifest_changes(folder: ModelFolder):
    folder.write("m.pt")
    list_digest(folder)
    loaded = ask(folder)
    (folder.root / "models.sha256").write_text(f"{'0' * 64}  another.pt\n")
    replace(folder, b"new")
    assert [ask(folder) for _ in range(3)] == [loaded] * 3
    assert loaded.warning.endswith("`m.pt`: models.sha256 does not list it")
    list_digest(folder)
    assert ask(folder).content == b"new"


@pytest.mark.parametrize("beside", ["m.toml", "m.warmup.json", "models.sha256"])
@pytest.mark.parametrize("is_watched", [False, True])
def test_a_refused_file_is_tried_again_once_a_file_beside_it_changes(
    folder: ModelFolder, loaded: FakeServable, beside: str, is_watched: bool
):
    def refuse(path: Path) -> None:
        raise InvalidServable("broken")

    folder.before_load = refuse
    replace(folder, b"new")
    for expected in (2, 2):
        folder.models.refresh() if is_watched else ask(folder)
        assert len(folder.loads) == expected
    (folder.root / beside).write_text("")
    if beside == "models.sha256":
        list_digest(folder)
    for expected in (3, 3):
        folder.models.refresh() if is_watched else ask(folder)
        assert len(folder.loads) == expected
    assert ask(folder) is loaded


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_settings_leaves_a_loaded_model_serving(
    folder: ModelFolder, loaded: FakeServable, mistake: str
):
    (folder.root / "m.toml").write_text(mistake)
    assert ask(folder) is loaded
    folder.write("other.pt")
    folder.ask("other.pt")
    assert ask(folder) is loaded
    folder.models.unload("m.pt")
    with pytest.raises(InvalidServable, match=r"`m.pt`: m\.toml"):
        ask(folder)


@pytest.mark.parametrize(("mistake", "problem"), MISTAKES.items())
def test_a_mistake_in_settings_that_are_watched_is_told_and_forgotten(
    folder: ModelFolder, loaded: FakeServable, mistake: str, problem: str
):
    (folder.root / "m.toml").write_text(mistake)
    for _ in range(2):
        folder.models.refresh()
        assert ask(folder) is loaded
    assert problem in loaded.warning
    (folder.root / "m.toml").write_text("batch = true")
    folder.models.refresh()
    assert ask(folder) is not loaded
    assert ask(folder).device == CPU

"""Listings: only regular files inside the root whose names can be asked for."""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.model_folder import CPU
from tests.support.servables import scripted
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable
from torch_serving.http.oip.model_states import model_state
from torch_serving.models._cache import Cache
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository
from torch_serving.service.alone import Alone
from torch_serving.service.management import Management


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


def add_folder_outside(root: Path) -> None:
    (root.parent / "others").mkdir()
    (root.parent / "others" / "m.pt").touch()
    (root / "others").symlink_to("../others")


def add_name_not_utf8(root: Path) -> None:
    (root / os.fsdecode(b"\xff.pt")).touch()


ODD = [add_fifo, add_link_outside, add_dead_link, add_folder, add_folder_outside, add_name_not_utf8]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    for name in ("m.pt", "sub/m.pt"):
        (root / name).touch()
    return root


@pytest.mark.parametrize("add", ODD)
def test_what_cannot_be_served_is_not_listed(
    root: Path, add: Any, caplog: pytest.LogCaptureFixture
) -> None:
    add(root)
    repository = ModelRepository(root)
    for _ in range(2):
        assert repository.names() == ["m.pt", "sub/m.pt"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (add is not add_folder)
    assert all(" is not listed: " in line for line in told)


def test_a_link_to_a_folder_inside_is_not_told(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "again").symlink_to("sub")
    assert ModelRepository(root).names() == ["m.pt", "sub/m.pt"]
    assert caplog.records == []


def test_the_log_has_a_bounded_number_of_names(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(200):
        (root / f"{number}.pt").symlink_to("none")
    ModelRepository(root).names()
    assert len(caplog.records) == 100


def torchscript() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(scripted("x: Tensor", "Tensor", "return x"), buffer)
    return buffer.getvalue()


def state_dict() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(3)}, buffer)
    return buffer.getvalue()


SUFFIXES = [".pt", ".pt2", ".pth", ".ts", ".jit", ".torchscript", ".PT", ".bin", ".pt.bak", ""]


def is_served(models: ModelLifecycle, name: str) -> bool:
    try:
        models.load(name, CPU).result()
    except InvalidServable:
        return False
    return True


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [torchscript, state_dict, lambda: b"text", lambda: b""])
def test_what_is_served_is_listed_and_what_is_not_is_not_called_available(
    tmp_path: Path, suffix: str, content: Callable[[], bytes]
) -> None:
    name = f"net{suffix}"
    (tmp_path / name).write_bytes(content())
    models = ModelLifecycle(ModelRepository(tmp_path), Cache(1))
    management = Management(models, DevicePool("cpu"), Alone())
    states = {each["identifier"]: each["state"] for each in management.list()}
    if is_served(models, name):
        assert content is torchscript
        assert states == {name: "available"}
        assert models.repository.names("net*") == [name]
    else:
        assert content is not torchscript
        assert states == ({name: "invalid"} if suffix in (".pt", ".pt2") else {})
    models.close()


def write_nothing(root: Path) -> None:
    (root / "m.pt").write_bytes(b"")


def write_state_dict(root: Path) -> None:
    (root / "m.pt").write_bytes(state_dict())


def list_another(root: Path) -> None:
    (root / "models.sha256").write_text(f"{'0' * 64}  another.pt\n")


def mistake_setting(root: Path) -> None:
    (root / "m.toml").write_text("bach = true")


def name_no_device(root: Path) -> None:
    (root / "m.toml").write_text('device = "cuda:77"')


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (write_nothing, "not a TorchScript archive (File is not a zip file)"),
        (write_state_dict, "not a TorchScript archive (it holds no code)"),
        (list_another, "models.sha256 does not list it"),
        (mistake_setting, "m.toml line 1: unknown key `bach`"),
        (name_no_device, "m.toml line 1: `cuda:77` is not a device"),
    ],
)
def test_what_cannot_be_loaded_is_listed_with_the_reason(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    (tmp_path / "m.pt").write_bytes(torchscript())
    models = ModelLifecycle(ModelRepository(tmp_path), Cache(1))
    management = Management(models, DevicePool("cpu"), Alone())
    assert management.status("m.pt")["state"] == "available"
    spoil(tmp_path)
    (status,) = management.list()
    assert status["state"] == "invalid"
    assert reason in status["problem"]
    assert model_state(status).state == "UNAVAILABLE"
    assert reason in model_state(status).reason
    (tmp_path / "models.sha256").unlink(missing_ok=True)
    (tmp_path / "m.toml").unlink(missing_ok=True)
    (tmp_path / "m.pt").write_bytes(torchscript())
    assert management.status("m.pt")["state"] == "available"
    models.close()


@pytest.mark.parametrize("name", ["pipe.pt", "link.pt"])
def test_nothing_is_told_of_a_pipe_or_of_a_file_outside(root: Path, name: str) -> None:
    add_fifo(root)
    add_link_outside(root)
    assert ModelRepository(root).file_facts(name) == dict.fromkeys(("bytes", "kind", "version"))


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

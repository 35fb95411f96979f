"""When models are loaded, replaced and freed, with a load function that only pretends."""

import os
import threading
import weakref
from concurrent.futures import wait
from pathlib import Path

import pytest
import torch

from tests.support.client import LIMIT_S, in_threads
from tests.support.model_folder import CPU, FakeServable, ModelFolder
from tests.support.process import wait_until
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable
from torch_serving.models import lifecycle, settings
from torch_serving.models.files import read_regular


def refuse(path: Path) -> None:
    raise InvalidServable("broken")


def test_devices_are_kept_apart(folder: ModelFolder):
    folder.write("a.pt")
    meta = torch.device("meta")
    assert folder.ask("a.pt", meta) is not folder.ask("a.pt")
    assert folder.ask("a.pt", meta).device == meta


def test_64_threads_load_a_cold_model_once(folder: ModelFolder):
    folder.write("a.pt")
    together = threading.Barrier(64)

    def ask(_: int) -> FakeServable:
        together.wait(LIMIT_S)
        return folder.ask("a.pt")

    assert len({id(found) for found in in_threads(64, ask)}) == 1
    assert len(folder.loads) == 1


def test_a_newer_file_that_loads_for_long_leaves_the_older_model_and_others_alone(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
):
    folder.write("a.pt", "b.pt")
    before = {name: folder.ask(name) for name in ("a.pt", "b.pt")}
    end = threading.Event()
    folder.before_load = lambda path: path.name == "a.pt" and end.wait(LIMIT_S)
    monkeypatch.setattr(lifecycle, "REPLACING_S", 0)
    for name in before:
        os.utime(folder.root / name)
    folder.models.refresh()
    wait_until(lambda: folder.models.loaded("b.pt", CPU) is not before["b.pt"])
    assert folder.ask("a.pt") is before["a.pt"]
    folder.models.refresh()  # it is loaded once
    end.set()
    wait_until(lambda: folder.models.loaded("a.pt", CPU) is not before["a.pt"])
    assert [path.name for path in folder.loads].count("a.pt") == 2


def test_64_threads_get_the_same_error(folder: ModelFolder):
    folder.write("a.pt")
    together = threading.Barrier(64)
    all_wait = threading.Event()

    def fail(path: Path) -> None:
        all_wait.wait(LIMIT_S)
        refuse(path)

    def ask(_: int) -> InvalidServable:
        future = folder.models.load("a.pt", CPU)
        together.wait(LIMIT_S)
        all_wait.set()
        error = future.exception(LIMIT_S)
        assert isinstance(error, InvalidServable)
        return error

    folder.before_load = fail
    assert len({id(error) for error in in_threads(64, ask)}) == 1
    assert len(folder.loads) == 1


def test_failed_loads_are_not_remembered(folder: ModelFolder):
    folder.write("a.pt")
    folder.before_load = refuse
    for _ in range(2):
        with pytest.raises(InvalidServable, match="broken"):
            folder.ask("a.pt")
    folder.before_load = lambda path: None
    assert folder.ask("a.pt").content == b"a.pt"
    assert len(folder.loads) == 3


def test_errors_that_nobody_expected_reach_who_waits(folder: ModelFolder):
    folder.write("a.pt")
    folder.before_load = lambda path: 1 / 0
    with pytest.raises(ZeroDivisionError):
        folder.ask("a.pt")
    folder.before_load = lambda path: None
    assert folder.ask("a.pt").content == b"a.pt"


def test_a_file_that_is_written_in_place_with_its_time_kept_is_loaded_anew(folder: ModelFolder):
    path = folder.root / "kept.pt"
    path.write_bytes(b"old")
    first = folder.ask("kept.pt")
    before = path.stat()
    path.write_bytes(b"new")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert folder.ask("kept.pt") is not first
    assert len(folder.loads) == 2


def test_a_file_that_was_replaced_is_loaded_anew(folder: ModelFolder):
    folder.write("a.pt")
    old = folder.ask("a.pt")
    for index in range(20):
        folder.write("next.pt")
        content = b"%04d" % index  # the same size each time
        (folder.root / "next.pt").write_bytes(content)
        os.replace(folder.root / "next.pt", folder.root / "a.pt")
        assert folder.ask("a.pt").content == content
    assert old.content == b"a.pt"
    assert len(folder.loads) == 21
    assert folder.models.cache.stats().size == 1


def test_a_bad_newer_file_is_kept_apart_from_the_one_that_is_served(folder: ModelFolder):
    folder.write("a.pt")
    served = folder.ask("a.pt")
    loaded_from = served.file
    folder.write("next.pt")
    os.replace(folder.root / "next.pt", folder.root / "a.pt")
    folder.before_load = refuse
    assert [folder.ask("a.pt") for _ in range(3)] == [served] * 3
    assert len(folder.loads) == 2  # the bad one is not tried again
    status = os.stat(folder.root / "a.pt")
    assert served.file == loaded_from
    assert served.refused is not None
    assert served.refused.file[1] == status.st_ino
    assert served.warning == "a newer file is not served: `a.pt`: broken"


def test_the_files_beside_a_model_are_read_once_for_a_load(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
):
    folder.write("a.pt")
    (folder.root / "a.toml").write_text('device = "cpu"')
    reads: list[str] = []

    def read(path: Path) -> bytes:
        reads.append(path.name)
        return read_regular(path)

    monkeypatch.setattr(settings, "read_regular", read)
    device = folder.models.repository.placement.choose("a.pt", DevicePool("meta"))
    assert device == CPU
    folder.ask("a.pt", device)
    assert reads.count("a.toml") == 1
    (folder.root / "a.toml").write_text('device = "cpu"\nbatch = true')
    folder.models.refresh()
    assert reads.count("a.toml") == 2


def test_a_link_that_points_elsewhere_now_is_another_model(folder: ModelFolder):
    folder.write("a.pt", "b.pt")
    (folder.root / "link.pt").symlink_to("a.pt")
    assert folder.ask("link.pt").content == b"a.pt"
    (folder.root / "new.pt").symlink_to("b.pt")
    os.replace(folder.root / "new.pt", folder.root / "link.pt")
    assert folder.ask("link.pt").content == b"b.pt"


def test_a_file_that_is_gone_is_not_served(folder: ModelFolder):
    folder.write("a.pt")
    folder.ask("a.pt")
    (folder.root / "a.pt").unlink()
    with pytest.raises(InvalidServable, match="no such file"):
        folder.ask("a.pt")


def test_invalidation(folder: ModelFolder):
    folder.write("a.pt")
    first = folder.ask("a.pt")
    assert folder.ask("a.pt", probability=0.0) is first
    assert folder.ask("a.pt", probability=1.0) is not first
    assert len(folder.loads) == 2
    for _ in range(200):
        folder.ask("a.pt", probability=0.5)
    assert 40 < len(folder.loads) < 160


def test_different_models_load_side_by_side(folder: ModelFolder):
    folder.write("a.pt", "b.pt")
    both = threading.Barrier(2)
    folder.before_load = lambda path: both.wait(LIMIT_S)
    futures = [folder.models.load(name, CPU) for name in ("a.pt", "b.pt")]
    assert not wait(futures, LIMIT_S).not_done
    assert [future.result().content for future in futures] == [b"a.pt", b"b.pt"]


def test_a_loaded_model_is_found_while_another_loads(folder: ModelFolder):
    folder.write("a.pt", "b.pt")
    found = folder.ask("a.pt")
    gate = threading.Event()
    folder.before_load = lambda path: gate.wait(LIMIT_S)
    future = folder.models.load("b.pt", CPU)
    assert folder.models.get("a.pt", CPU) is found
    assert not future.done()
    gate.set()
    future.result(LIMIT_S)


def test_models_beyond_capacity_and_buffer_are_freed(tmp_path: Path):
    folder = ModelFolder(tmp_path, capacity=2, buffer=1)
    folder.write("a.pt", "b.pt", "c.pt", "d.pt")
    held = [weakref.ref(folder.ask(name)) for name in ("a.pt", "b.pt", "c.pt")]
    assert all(reference() for reference in held)
    folder.ask("a.pt")  # the most recently used
    folder.ask("d.pt")
    folder.models.load("d.pt", CPU).result(LIMIT_S)  # the loader is through with what it evicted
    assert [reference() is not None for reference in held] == [True, False, False]
    assert folder.models.cache.stats().size == 2
    folder.models.close()

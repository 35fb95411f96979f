"""Files of exported programs below a model root: named as they like, many, replaced and dropped."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import LIMIT_S
from tests.support.export_archives import entries_of_package, entries_of_program, packed
from tests.support.model_folder import CPU
from tests.support.servables import scripted
from torch_serving.engine.devices import DevicePool
from torch_serving.errors import InvalidServable
from torch_serving.models._cache import Cache
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository
from torch_serving.service.alone import Alone
from torch_serving.service.management import Management

BODY = b'[{"type": "tensor", "value": [1.0, 2.0]}]'


def program(number: float = 10.0) -> bytes:
    """A program that adds a number to its input."""
    return packed(entries_of_program(number, number))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def models(root: Path) -> Iterator[ModelLifecycle]:
    models = ModelLifecycle(ModelRepository(root), Cache(100))
    yield models
    models.close()


def run(models: ModelLifecycle, name: str) -> list[float]:
    """What a request does."""
    servable = models.get(name, CPU) or models.load(name, CPU).result(LIMIT_S)
    method = servable.main_method()
    numbers: list[float] = method.run(method.decode(BODY)).tolist()
    return numbers


def save_echo(path: Path) -> None:
    scripted("x: Tensor", "Tensor", "return x").save(path)


def test_any_name_will_do(models: ModelLifecycle, root: Path):
    for name in ("a.pt2", "b.pt", "c", "d.bin"):
        (root / name).write_bytes(program())
    save_echo(root / "echo.pt2")
    assert models.repository.names() == ["a.pt2", "b.pt", "c", "d.bin", "echo.pt2"]
    for name in ("a.pt2", "b.pt", "c", "d.bin"):
        assert run(models, name) == [11.0, 12.0]
    assert run(models, "echo.pt2") == [1.0, 2.0]


def test_what_is_no_program_is_listed_with_the_reason(models: ModelLifecycle, root: Path):
    (root / "cut.pt2").write_bytes(program()[:-30])
    (root / "text.pt2").write_bytes(b"text")
    (root / "odd.pt2").write_bytes(packed({**entries_of_program(), "archive_version": b"7"}))
    (root / "whole.pt2").write_bytes(program())
    management = Management(models, DevicePool("cpu"), Alone())
    told = {each["identifier"]: each.get("problem", "") for each in management.list()}
    assert told["whole.pt2"] == ""
    assert told["cut.pt2"].startswith("not a .pt2 archive of torch.export (its end is missing")
    assert told["text.pt2"].startswith("not a .pt2 archive of torch.export (File is not a zip file")
    assert told["odd.pt2"].startswith("its archive_version is '7', written by torch 2.13.0; ")


@pytest.mark.parametrize(
    ("name", "data", "is_known"),
    [
        ("m.pt2", program(), True),
        ("m.pt", program(), True),
        ("m.pt2", packed(entries_of_package()), False),
        ("m.pt2", packed({**entries_of_program(), **entries_of_package()}), False),
    ],
)
def test_a_package_knows_fewer_keys(
    models: ModelLifecycle, root: Path, name: str, data: bytes, is_known: bool
):
    (root / name).write_bytes(data)
    (root / "m.toml").write_text("freeze = false")
    assert ("unknown key `freeze`" in models.repository.problem_with(name)) is not is_known


def test_a_file_of_another_kind_in_its_place_has_its_own_keys(models: ModelLifecycle, root: Path):
    (root / "m.toml").write_text("freeze = false")
    (root / "m.pt2").write_bytes(packed(entries_of_package()))
    assert "unknown key `freeze`" in models.repository.problem_with("m.pt2")
    (root / "new").write_bytes(program())
    os.replace(root / "new", root / "m.pt2")
    assert models.repository.problem_with("m.pt2") == ""
    assert run(models, "m.pt2") == [11.0, 12.0]


def test_the_manifest_holds_for_programs(models: ModelLifecycle, root: Path):
    (root / "m.pt2").write_bytes(program())
    (root / "models.sha256").write_text(f"{hashlib.sha256(program()).hexdigest()}  m.pt2\n")
    assert run(models, "m.pt2") == [11.0, 12.0]
    (root / "m.pt2").write_bytes(program(20.0))
    (root / "other.pt2").write_bytes(program())
    with pytest.raises(InvalidServable, match=r"`other\.pt2`: models\.sha256 does not list it"):
        models.load("other.pt2", CPU).result(LIMIT_S)
    models.unload("m.pt2")
    with pytest.raises(InvalidServable, match=r"`m\.pt2`: its SHA-256 is not the one in "):
        models.load("m.pt2", CPU).result(LIMIT_S)


def test_many_programs_load_at_once(models: ModelLifecycle, root: Path):
    for number in range(50):
        (root / f"{number}.pt2").write_bytes(program(float(number)))
    loads = [models.load(f"{number}.pt2", CPU) for number in range(50)]
    for number, load in enumerate(loads):
        method = load.result(LIMIT_S).main_method()
        assert method.run(method.decode(BODY)).tolist() == [number + 1.0, number + 2.0]


def test_a_program_that_changes_no_longer_than_a_load_serves_old_or_new(
    models: ModelLifecycle, root: Path
):
    """Files are moved into its place, of both kinds, while threads ask for it."""
    path, done = root / "m.pt2", threading.Event()
    path.write_bytes(program(0.0))
    seen: list[float] = []

    def keep_asking() -> None:
        while not done.is_set():
            first, second = run(models, "m.pt2")
            seen.append(first if second == first + 1 else -1.0)

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 20):
        if number % 5:
            (root / "new").write_bytes(program(float(number)))
        else:
            save_echo(root / "new")
        os.replace(root / "new", path)
        before = len(seen)
        while len(seen) < before + 8 and any(thread.is_alive() for thread in threads):
            done.wait(0.001)
    done.set()
    for thread in threads:
        thread.join()
    possible = {1.0 + number for number in range(20) if number % 5 or number == 0} | {1.0}
    assert set(seen) <= possible
    assert run(models, "m.pt2") == [20.0, 21.0]


def test_a_program_that_is_dropped_runs_to_its_end(models: ModelLifecycle, root: Path):
    (root / "m.pt2").write_bytes(program())
    stop = threading.Event()
    wrong: list[object] = []

    def keep_running() -> None:
        while not stop.is_set():
            if run(models, "m.pt2") != [11.0, 12.0]:
                wrong.append("another result")

    threads = [threading.Thread(target=keep_running) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        models.unload("m.pt2")
        stop.wait(0.005)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_file_that_is_gone_is_no_model(models: ModelLifecycle, root: Path):
    (root / "m.pt2").write_bytes(program())
    assert run(models, "m.pt2") == [11.0, 12.0]
    (root / "m.pt2").unlink()
    with pytest.raises(InvalidServable, match="there is no such file"):
        models.get("m.pt2", CPU)
    (root / "m.pt2").write_bytes(program(20.0))
    assert run(models, "m.pt2") == [21.0, 22.0]

"""A root that is one model's file: there is no other model then."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, tensor
from tests.support.fetch import fetch
from tests.support.process import Process
from tests.support.servables import SOURCES, mlp, scripted
from torch_serving import Config, Runtime
from torch_serving.errors import InvalidServable
from torch_serving.models.placement import CPU
from torch_serving.models.repository import ModelRepository


def save(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        scripted(*SOURCES["echo.pt"]).save(folder / name)


@pytest.mark.parametrize("name", ["one.pt", "one.bin", "with space.pt"])
def test_it_is_the_only_one(tmp_path: Path, name: str):
    save(tmp_path, name, "other.pt", "below/third.pt")
    repository = ModelRepository(tmp_path / name)
    assert repository.names() == [name]
    assert repository.names("*.none") == []
    assert repository.check_exists(f"./{name}") == name
    for other in ("other.pt", "below/third.pt", "none.pt", f"../{tmp_path.name}/{name}"):
        with pytest.raises(InvalidServable, match="no such file"):
            repository.check_exists(other)


def test_the_files_beside_it_count(tmp_path: Path):
    mlp().save(tmp_path / "one.pt")
    (tmp_path / "one.toml").write_text("max_batch = 7")
    repository = ModelRepository(tmp_path / "one.pt")
    assert repository.read_config(repository.resolve("one.pt", CPU)).max_batch == 7


def test_a_link_may_lead_anywhere_and_be_swapped(tmp_path: Path):
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        save(tmp_path, f"{release}/model.pt")
    (tmp_path / "served").mkdir()
    link = tmp_path / "served" / "one.pt"
    link.symlink_to(tmp_path / "1" / "model.pt")
    repository = ModelRepository(link)
    model = repository.resolve("one.pt", CPU)
    assert repository.real_path(model) == tmp_path / "1" / "model.pt"
    (tmp_path / "new").symlink_to(tmp_path / "2" / "model.pt")
    os.replace(tmp_path / "new", link)
    assert repository.real_path(model) == tmp_path / "2" / "model.pt"
    with pytest.raises(InvalidServable):
        repository.check_exists("../1/model.pt")


def test_a_runtime_of_one_file(tmp_path: Path):
    save(tmp_path, "one.pt", "other.pt")
    with Runtime.build(Config(model_root=tmp_path / "one.pt", preload=("*",))) as runtime:
        assert runtime.infer("one.pt", [[1.0]]) is not None
        with pytest.raises(InvalidServable):
            runtime.infer("other.pt", [[1.0]])


def test_a_server_of_one_file(tmp_path: Path, start: Callable[..., Process]):
    save(tmp_path, "one.pt", "other.pt")
    process = start(tmp_path / "one.pt", "--port", "0")
    with Client(process.url) as client:
        assert client.post("one.pt", [tensor([1], [1])]).status == 200
        assert client.post("other.pt", [tensor([1], [1])]).status == 400
    assert "1 model in" in process.stdout
    _, _, listed = fetch(process.url, "/models")
    assert [each["identifier"] for each in listed["models"]] == ["one.pt"]

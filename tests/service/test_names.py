"""Which model a name means, and what is said where it means none."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servables import SOURCES, mlp, scripted
from torch_serving import Config, Runtime
from torch_serving.errors import InvalidServable
from torch_serving.models import near_names
from torch_serving.models.identifiers import NoSuchModel
from torch_serving.models.near_names import NearNames, nearest
from torch_serving.models.placement import CPU
from torch_serving.models.repository import ModelRepository
from torch_serving.service import names
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.names import find_identifier, only_model

FILES = ["iris.pt", "sub/bert.torchscript", "two.pt", "two.pth", "deep.v2.pt", "folder/x.pt"]
FILES += ["program.pt2", "both.pt", "both.pt2"]
NO_SUCH = "there is no such file below the model root"


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        scripted(*SOURCES["echo.pt"]).save(tmp_path / name)
    (tmp_path / "folder.pt").write_bytes(b"")
    (tmp_path.parent / "outside.pt").write_bytes(b"")
    return ModelRepository(tmp_path)


def find(repository: ModelRepository, name: str) -> str:
    return asyncio.run(find_identifier(repository, name))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iris.pt", "iris.pt"),
        ("./iris.pt", "./iris.pt"),
        ("iris", "iris.pt"),
        ("sub/../iris", "iris.pt"),
        ("sub/bert", "sub/bert.torchscript"),
        ("two", "two.pt"),
        ("deep.v2", "deep.v2.pt"),
        ("folder", "folder.pt"),
        ("program", "program.pt2"),
        ("both", "both.pt"),
        ("both.pt2", "both.pt2"),
    ],
)
def test_the_suffix_may_be_left_out(repository: ModelRepository, name: str, expected: str):
    assert find(repository, name) == expected


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Iris.pt", "iris.pt"),
        ("irs", "iris.pt"),
        ("iris.onnx", "iris.pt"),
        ("IRIS", "iris.pt"),
        ("bert.pt", "sub/bert.torchscript"),
        ("sub/brt", "sub/bert.torchscript"),
        ("a.pt", ""),
        ("nothing like it", ""),
        ("../outside.pt", ""),
        ("", ""),
        ("iris.pt\0", ""),
        ("iris\n", ""),
        ("i" * 300, ""),
        ("\ud800", ""),
    ],
)
def test_a_near_name_is_offered(repository: ModelRepository, name: str, hint: str):
    with pytest.raises(NoSuchModel) as caught:
        find(repository, name)
    end = f"{NO_SUCH}; did you mean `{hint}`?" if hint else NO_SUCH
    assert caught.value.detail.endswith(f"`: {end}")
    assert caught.value.detail.count(NO_SUCH) == 1


def test_a_loaded_model_whose_file_is_gone_is_still_meant(
    repository: ModelRepository, tmp_path: Path
):
    with Runtime.build(Config(model_root=tmp_path)) as runtime:
        runtime.infer("iris", [[1.0]])
        (tmp_path / "iris.pt").unlink()
        assert runtime.models.repository.find_identifier("iris.pt") == "iris.pt"
        assert runtime.models.unload("iris.pt")


def test_names_stand_once_in_messages(repository: ModelRepository):
    for ask in (
        repository.placement.configured_name,
        lambda name: repository.check_exists(name),
        lambda name: repository.read_config(repository.resolve(name, CPU)),
    ):
        with pytest.raises(InvalidServable) as caught:
            ask("none.pt")
        assert caught.value.detail == f"`none.pt`: {NO_SUCH}"


@pytest.mark.parametrize(
    ("names", "expected"), [([], None), (["a.pt"], "a.pt"), (["b.bin"], "b.bin"), (FILES, None)]
)
def test_the_only_model(tmp_path: Path, names: list[str], expected: str | None):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        scripted(*SOURCES["echo.pt"]).save(tmp_path / name)
    (tmp_path / "a.toml").write_text("")
    assert asyncio.run(only_model(ModelRepository(tmp_path))) == expected


def test_names_are_listed_once_however_many_ask(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(near_names.time, "monotonic", lambda: 0.0)
    lists: list[int] = []
    near = NearNames(lambda: [str(lists.append(1))])
    for _ in range(100):
        near.hint("name")
        near.only()
    assert len(lists) == 1


def test_hints_take_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr(near_names.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(near_names.time, "perf_counter", lambda: clock[0])

    def list_slowly() -> list[str]:
        clock[0] += 3.0
        return ["iris.pt"]

    near = NearNames(list_slowly)
    assert near.is_within_budget()
    assert near.hint("irs") == "; did you mean `iris.pt`?"
    assert not near.is_within_budget()
    clock[0] += 30.0
    assert not near.is_within_budget()
    clock[0] += 11.0
    assert near.is_within_budget()
    assert near.names() == ["iris.pt"]  # from the first list, as listing is slow
    assert clock[0] == 44.0


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("x", [], ""),
        ("resnet", ["vision/resnet50.pt", "bert.pt"], "vision/resnet50.pt"),
        ("RESNET50.PT", ["vision/resnet50.pt"], "vision/resnet50.pt"),
        ("m.pt", ["n.pt"], ""),
    ],
)
def test_nearest(name: str, names: list[str], expected: str):
    assert nearest(name, names) == expected


def test_hints_from_many_threads():
    near = NearNames(lambda: ["iris.pt"])
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(near.hint("irs"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {"; did you mean `iris.pt`?"}


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    mlp().save(tmp_path / "iris.pt")
    with Runtime.build(Config(tmp_path, threads=1)) as runtime:
        yield runtime


def test_a_name_without_its_suffix_is_sought_once_a_moment(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    request = InferenceRequest("iris")
    inference = runtime.inference
    body = json.dumps({"x": [[0.5] * 16]}).encode()
    monkeypatch.setattr(names, "MEANT_S", float("inf"))
    assert inference.resolve(request) is None
    asyncio.run(inference.infer(request, body))
    assert inference.resolve(request) is not None
    monkeypatch.setattr(names, "MEANT_S", 0.0)
    asyncio.run(inference.infer(InferenceRequest("./iris"), body))
    assert inference.resolve(InferenceRequest("./iris")) is None


def test_another_file_in_its_place_is_found(runtime: Runtime, tmp_path: Path):
    request = InferenceRequest("iris")
    body = json.dumps({"x": [[0.5] * 16]}).encode()
    asyncio.run(runtime.inference.infer(request, body))
    (tmp_path / "iris.pt").rename(tmp_path / "iris.pth")
    asyncio.run(runtime.inference.infer(request, body))
    (tmp_path / "iris.pth").unlink()
    with pytest.raises(InvalidServable):
        asyncio.run(runtime.inference.infer(request, body))

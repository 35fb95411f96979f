"""A second kind of model file is a backend of its own and a line in the registry."""

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.export_archives import entries_of_package, entries_of_program, packed
from tests.support.model_folder import CPU
from tests.support.servables import scripted
from torch_serving.codecs.oip.metadata import model_metadata
from torch_serving.codecs.signature import Signature
from torch_serving.errors import InferenceFailed, InvalidServable, ServingError
from torch_serving.model_config import ModelConfig
from torch_serving.models._cache import Cache
from torch_serving.models.backends import registry
from torch_serving.models.backends.interfaces import Backend
from torch_serving.models.backends.registry import backend_of
from torch_serving.models.backends.torchscript.schema import signature_of
from torch_serving.models.files import OpenFile
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository

BODY = b'[{"type": "tensor", "value": [1.0, 2.0]}]'


class TimesMethod:
    """Multiplies a tensor by a number."""

    bounded_by_shapes = True
    differentiates = draws = seeds = branches_on_values = takes_arrays = False

    def __init__(self, factor: torch.Tensor) -> None:
        self.run = lambda x: x * factor if x.dim() else 1 / 0
        module = scripted("x: Tensor", "Tensor", "return x")
        self.signature: Signature = signature_of(module.forward.schema)

    def make_enum(self, type_name: str, member: str) -> Any:
        raise KeyError(type_name)

    def to_envelope(self, value: object) -> dict[str, Any] | None:
        return None

    def translate(self, error: Exception) -> ServingError:
        return InferenceFailed(f"times: {error}")


class TimesProgram:
    platform = "times_table"
    runs = "times table"
    warning = ""
    state = ""
    plain_dtype = None
    weight_bytes = 4
    max_batch = sample_inputs = None
    unbatched = ""

    def __init__(self, factor: float) -> None:
        self._factor = torch.tensor([factor])

    def methods(self) -> Mapping[str, TimesMethod]:
        return {"forward": TimesMethod(self._factor)}

    def parameters(self) -> Iterable[torch.Tensor]:
        return [self._factor]

    def optimized(self, config: ModelConfig) -> "TimesProgram":
        return self


class Times:
    """Files that hold a number."""

    kind = "times table"
    suffixes = (".times",)
    options: frozenset[str] = frozenset()

    def recognizes(self, path: Path) -> bool:
        return path.read_bytes().isdigit()

    def verify(self, path: Path) -> str:
        if not path.read_text().isdigit():
            raise InvalidServable("not a number")
        return self.version(path)

    def version(self, path: Path) -> str:
        return f"v{path.read_text()}"

    def load(self, file: OpenFile, device: torch.device) -> TimesProgram:
        return TimesProgram(float(file.path.read_text()))


def torchscript() -> bytes:
    data = io.BytesIO()
    torch.jit.save(scripted("x: Tensor", "Tensor", "return x"), data)
    return data.getvalue()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "BACKENDS", (*registry.BACKENDS, Times()))
    (tmp_path / "three.times").write_text("3")
    scripted("x: Tensor", "Tensor", "return x").save(tmp_path / "echo.pt")
    models = ModelLifecycle(ModelRepository(tmp_path), Cache(4))
    yield models
    models.close()


def test_files_of_both_kinds_are_listed(models: ModelLifecycle):
    assert models.repository.names() == ["echo.pt", "three.times"]
    assert models.repository.file_facts("three.times") == {
        "bytes": 1,
        "kind": "times table",
        "version": "v3",
    }
    assert models.repository.file_facts("echo.pt")["kind"] == "TorchScript"


def test_a_request_to_a_model_of_another_kind(models: ModelLifecycle):
    servable = models.load("three.times", CPU).result()
    method = servable.method("forward")
    assert method.run(method.decode(BODY)).tolist() == [3.0, 6.0]
    assert (servable.version, servable.bytes()) == ("v3", 4)
    with pytest.raises(InferenceFailed, match="times: division by zero"):
        method.run(method.decode(b'[{"type": "tensor", "shape": [], "value": [1.0]}]'))
    assert model_metadata("three.times", method)["platform"] == "times_table"
    echo = models.load("echo.pt", CPU).result().method("forward")
    assert model_metadata("echo.pt", echo)["platform"] == "pytorch_libtorch"


def test_a_bad_file_of_another_kind(models: ModelLifecycle, tmp_path: Path):
    (tmp_path / "bad.times").write_text("three")
    with pytest.raises(InvalidServable, match=r"`bad\.times`: not a number"):
        models.load("bad.times", CPU).result()


def test_options_of_one_kind_are_unknown_to_another(models: ModelLifecycle, tmp_path: Path):
    (tmp_path / "three.toml").write_text("freeze = true\n")
    words = "three.toml line 1: unknown key `freeze`; known are device, batch, max_batch, graphs"
    with pytest.raises(InvalidServable, match=words):
        models.load("three.times", CPU).result()


TORCHSCRIPT, PACKAGES, PROGRAMS = registry.BACKENDS
FILES: dict[str, tuple[Callable[[], bytes], Backend | None]] = {
    "TorchScript": (torchscript, TORCHSCRIPT),
    "program": (lambda: packed(entries_of_program()), PROGRAMS),
    "package": (lambda: packed(entries_of_package()), PACKAGES),
    "both": (lambda: packed({**entries_of_program(), **entries_of_package()}), PACKAGES),
    "old program": (lambda: packed({"serialized_exported_program.json": b"{}"}, ""), PROGRAMS),
    "cut program": (lambda: packed(entries_of_program())[:-100], None),
    "text": (lambda: b"text", None),
    "nothing": (lambda: b"", None),
}


@pytest.mark.parametrize("name", ["m.pt", "m.pt2", "m.bin", "m"])
@pytest.mark.parametrize(("contents", "kind"), FILES.values(), ids=FILES)
def test_the_contents_of_a_file_tell_its_kind_and_then_its_name(
    tmp_path: Path, name: str, contents: Callable[[], bytes], kind: Backend | None
):
    path = tmp_path / name
    path.write_bytes(contents())
    by_name = PROGRAMS if name == "m.pt2" else TORCHSCRIPT
    assert backend_of(path, name) is (kind or by_name)


def test_a_file_that_is_gone_is_of_the_kind_that_its_name_says(tmp_path: Path):
    assert backend_of(tmp_path / "m.pt2", "m.pt2") is PROGRAMS
    assert backend_of(tmp_path / "m.pt", "m.pt") is TORCHSCRIPT


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        (entries_of_program(), "exported program"),
        (entries_of_package(), "AOTInductor package"),
        ({"data.pkl": b""}, None),
    ],
)
def test_the_kind_of_an_archive(tmp_path: Path, entries: dict[str, bytes], kind: str | None):
    (tmp_path / "m.pt2").write_bytes(packed(entries))
    assert ModelRepository(tmp_path).file_facts("m.pt2")["kind"] == kind

"""Packages with operators that have no C function: torch's own loader runs them."""

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.libraries import ECHO, TAKE, library, save_package
from torch_serving.errors import InferenceFailed, InvalidServable
from torch_serving.models import loader
from torch_serving.models.backends.export.package import proxied

X = torch.arange(3.0)


class Loader:
    """Stands for torch's, which needs a library that was really compiled."""

    problem = ""

    def __init__(self, path: str, name: str, one_thread: bool, runners: int, device: int) -> None:
        self.library = Path(path, "data/aotinductor", name, "x.wrapper.so")
        assert (name, runners, device) == ("model", 1, -1)
        assert self.library.exists()
        if self.problem:
            raise RuntimeError(self.problem)

    def boxed_run(self, tensors: list[torch.Tensor]) -> list[Any]:
        if tensors[0].numel() == 0:
            raise RuntimeError("nothing to run with")
        return [tensors[0] + 1]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(proxied._aoti, "AOTIModelPackageLoader", Loader)
    folders = tmp_path / "folders"
    folders.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folders))
    source = ECHO.replace("RUN;", f"{TAKE};").replace("OUTPUTS", "1").replace("CREATE;", "0;")
    files = {"x.wrapper.so": library(tmp_path, source), "x.wrapper.json": b'{"nodes": []}'}
    return save_package(tmp_path / "x.pt2", files)


def test_torchs_loader_runs_them(path: Path):
    model = loader.load(path, torch.device("cpu"))
    method = model.main_method()
    assert "by torch's loader, which holds the GIL" in model.program.runs
    assert not method.inline.bounded
    assert torch.equal(method.run([X]), X + 1)
    (decoded,) = method.decode(b'{"x": [1, 2]}')
    assert isinstance(decoded, torch.Tensor)
    with pytest.raises(InferenceFailed, match="nothing to run with"):
        method.run([X[:0]])


def test_their_folder_goes_with_them(path: Path):
    folders = path.parent / "folders"
    model = loader.load(path, torch.device("cpu"))
    assert len(list(folders.iterdir())) == 1
    del model
    gc.collect()
    assert list(folders.iterdir()) == []


def test_an_operator_that_nothing_has(path: Path, monkeypatch: pytest.MonkeyPatch):
    """torch's loader would leave its own folder behind."""
    monkeypatch.setattr(Loader, "problem", "Could not find schema for vision::nms.")
    with pytest.raises(InvalidServable) as refused:
        loader.load(path, torch.device("cpu"))
    assert "its operator vision::nms is of a library that is not imported" in refused.value.detail
    assert "--import vision" in refused.value.detail
    del refused
    gc.collect()
    assert list((path.parent / "folders").iterdir()) == []

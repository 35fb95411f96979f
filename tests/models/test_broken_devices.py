"""Loads that meet a device in error: the file is not to blame, and the process is to end."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.servables import SOURCES, scripted
from torch_serving.errors import DeviceFailed
from torch_serving.models._cache import Cache
from torch_serving.models.interfaces import NoEvents
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository

CPU = torch.device("cpu")
BROKEN = "CUDA error: device-side assert triggered\nCompile with ..."
GROWING = "CUDA driver error: unspecified launch failure"  # where a segment of memory grows
WARM_UP = 'warmup = [\'[{"type": "tensor", "value": [1]}]\']\n'


class Events(NoEvents):
    def __init__(self) -> None:
        super().__init__()
        self.fatal: list[tuple[Any, ...]] = []

    def request_restart(self, *reported: Any) -> None:
        self.fatal.append(reported)


def check_broken(root: Path) -> None:
    events = Events()
    models = ModelLifecycle(ModelRepository(root), Cache(2, 0, 0), events)
    try:
        for _ in range(2):
            with pytest.raises(DeviceFailed):
                models.load("m.pt", CPU).result()
    finally:
        models.close()
    assert events.fatal == [("a device is in error", ("m.pt",))] * 2


@pytest.mark.parametrize("step", ["torch.jit.load", "torch_serving.models.loader.warm_up"])
@pytest.mark.parametrize("text", [BROKEN, GROWING])
def test_a_device_that_is_broken_while_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, text: str
):
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(text)

    scripted(*SOURCES["echo.pt"]).save(tmp_path / "m.pt")
    monkeypatch.setattr(step, fail)
    check_broken(tmp_path)


@pytest.mark.parametrize("options", ["", "freeze = true\n"])
def test_a_warm_up_that_breaks_the_device(tmp_path: Path, options: str):
    words = "return x.to(torch.device('CUDA error: ' + str(x.numel())))"
    scripted("x: Tensor", "Tensor", words).eval().save(tmp_path / "m.pt")
    (tmp_path / "m.toml").write_text(WARM_UP + options)
    check_broken(tmp_path)

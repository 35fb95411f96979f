"""What compiling asks of a machine: a compiler, and a device."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from torch_serving.engine.devices import device_of
from torch_serving.models.compilation import job, package
from torch_serving.models.compilation.toolchain import explain


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ld: cannot find -lgomp", "no OpenMP"),
        ("unrecognized command-line option '-std=c++20'", "too old"),
        ("x.cpp:1:10: fatal error: vector: No such file", "fails (x.cpp:1:10: fatal error"),
        ("", "fails ()"),
    ],
)
def test_what_a_compiler_lacks(output: str, words: str):
    assert words in explain("g++", output)


def test_a_card_has_a_number(monkeypatch: pytest.MonkeyPatch):
    """torch's functions of streams take no `cuda` without one."""
    asked: list[torch.device] = []

    def load(_: Path, device: torch.device) -> Any:
        asked.append(device)
        return SimpleNamespace(program=SimpleNamespace(runs="a program"))

    monkeypatch.setattr("torch_serving.engine.devices.count_cards", lambda: 1)
    monkeypatch.setattr(job, "device_of", device_of.__wrapped__)
    monkeypatch.setattr(job, "load", load)
    with pytest.raises(package.CompilationFailed, match="a program"):
        job.served(Path("model.pt2"), "cuda")
    assert asked == [torch.device("cuda", 0)]

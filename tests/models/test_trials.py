"""Trials: what a worker asks for, and on which device a process of its own does it."""

import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from tests.support.client import LIMIT_S
from tests.support.servables import mlp, scripted
from torch_serving.errors import InvalidServable
from torch_serving.models import trials
from torch_serving.models._cache import Cache
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository


def request_for(root: Path, device: str) -> dict[str, Any]:
    """What a worker asks its parent before it loads m.pt onto a device."""
    requests = []

    def try_load(request: dict[str, Any], descriptor: int) -> bool:
        requests.append(request)
        return False

    models = ModelLifecycle(ModelRepository(root), Cache(1))
    models.attach(try_load)
    with pytest.raises(InvalidServable, match="a process that loaded it crashed"):
        models.load("m.pt", torch.device(device)).result(LIMIT_S)
    models.close()
    return requests[0]


def try_load(root: Path, request: dict[str, Any]) -> None:
    descriptor = os.open(root / "m.pt", os.O_RDONLY)
    try:
        trials.try_load(ModelRepository(root), request, descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("device", ["cuda:0", "cuda:7", "cpu"])
def test_a_file_for_any_device_is_tried_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
):
    mlp().save(tmp_path / "m.pt")
    request = request_for(tmp_path, device)
    devices = []
    jit_load = torch.jit.load

    def load(path: Path, map_location: torch.device) -> torch.jit.ScriptModule:
        devices.append(map_location)
        return jit_load(path, map_location="cpu")

    monkeypatch.setattr(torch.jit, "load", load)
    try_load(tmp_path, request)
    assert devices == [torch.device("cpu")]


def test_warm_up_requests_of_a_card_are_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They might run for minutes on the CPU, or want an operator that it does not have."""
    scripted("x: Tensor", "Tensor", "return x + torch.zeros([1], device='cuda:0')").save(
        tmp_path / "m.pt"
    )
    (tmp_path / "m.toml").write_text("freeze = true\nwarmup = [{ x = [1.0] }]\n")

    def run(*_: object) -> NoReturn:
        raise AssertionError("it ran on the CPU")

    monkeypatch.setattr("torch_serving.models.warmup.run_once", run)
    try_load(tmp_path, request_for(tmp_path, "cuda:0"))
    with pytest.raises(AssertionError):
        try_load(tmp_path, request_for(tmp_path, "cpu"))


def test_what_a_card_and_the_cpu_try_is_remembered_apart(tmp_path: Path):
    mlp().save(tmp_path / "m.pt")
    keys = [request_for(tmp_path, device)["key"] for device in ("cpu", "cuda:0", "cuda:1")]
    assert keys[0] != keys[1] == keys[2]

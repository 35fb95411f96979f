"""A double of two cards, for servers that run in the process of their test."""

import os

import pytest
import torch

from torch_serving.engine.devices import open_device
from torch_serving.engine.engine import Engine
from torch_serving.models.lifecycle import ModelLifecycle


class Driver:
    """A double of two cards: who counts them, and what is put on them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counted: list[int] = []  # pids
        self.opened: list[str] = []
        self.loaded: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.broken = {"cuda", "cuda:0", "cuda:1"}  # where the error is met
        self.cards = 2
        self._empty = torch.empty
        monkeypatch.setattr(torch.cuda, "device_count", self.count)
        monkeypatch.setattr(torch.cuda, "_lazy_init", self.open)
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: bool(self.opened))
        monkeypatch.setattr(torch.cuda, "get_arch_list", list)
        monkeypatch.setattr(torch, "empty", self.empty)
        monkeypatch.setattr(ModelLifecycle, "preload", self.preload)
        monkeypatch.setattr(Engine, "start", lambda engine: None)

    def count(self) -> int:
        self.counted.append(os.getpid())
        return self.cards

    def open(self) -> None:
        self.opened.append("cuda")

    def empty(self, *shape: int, device: object = None, **others: object) -> torch.Tensor:
        if device is None or torch.device(str(device)).type != "cuda":
            return self._empty(*shape, **others)  # type: ignore[arg-type]
        self.opened.append(str(device))
        if self.error is not None and str(device) in self.broken:
            raise self.error
        return self._empty(*shape)

    def preload(self, name: str, device: torch.device) -> None:
        open_device(device)
        self.loaded.append((name, str(device)))

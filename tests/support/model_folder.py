"""A model root whose models are only pretended to be loaded."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from tests.support.client import LIMIT_S
from torch_serving.model_config import ModelConfig
from torch_serving.models._cache import Cache
from torch_serving.models.files import Sources
from torch_serving.models.lifecycle import ModelLifecycle
from torch_serving.models.repository import ModelRepository
from torch_serving.models.servable import ModelSource, Servable
from torch_serving.telemetry._counters import MethodCounters, Statistics

CPU = torch.device("cpu")


class FakeServable:
    """Stands for a servable."""

    refused: Sources | None = None
    config = ModelConfig()
    program = SimpleNamespace(runs="")
    version = ""
    look_again_s = 0.0

    def __init__(self, path: Path, device: torch.device, source: ModelSource) -> None:
        self.identifier = path.name
        self.warning = ""
        self.bytes = lambda: 1
        self.path = path
        self.device = device
        self.file = source.file
        self.sidecars = source.sidecars
        self.content = path.read_bytes()

    def count_in(self, statistics: Statistics) -> None:
        pass

    newest_tried = Servable.newest_tried
    is_current = Servable.is_current
    is_newest = Servable.is_newest

    def main_method(self) -> Any:
        return SimpleNamespace(counters=MethodCounters())

    def entry(self) -> dict[str, Any]:
        return {"identifier": self.identifier, "device": str(self.device)}


class ModelFolder:
    """A model root, its models, and the paths that were loaded."""

    def __init__(self, root: Path, capacity: int = 100, buffer: int = 0) -> None:
        self.root = root
        self.loads: list[Path] = []
        self.before_load: Callable[[Path], object] = lambda path: None
        self.models = ModelLifecycle(ModelRepository(root), Cache(capacity, buffer), load=self.load)

    def load(
        self,
        path: Path,
        device: torch.device,
        config: ModelConfig,
        source: ModelSource,
        statistics: Statistics,
        *others: Any,
    ) -> FakeServable:
        self.loads.append(path)
        self.before_load(path)
        return FakeServable(path, device, source)

    def ask(
        self, identifier: str, device: torch.device = CPU, probability: float = 0.0
    ) -> FakeServable:
        """What a request does."""
        found = self.models.get(identifier, device, probability)
        if found is None:
            found = self.models.load(identifier, device).result(LIMIT_S)
        return found

    def write(self, *names: str) -> None:
        for name in names:
            (self.root / name).write_bytes(name.encode())

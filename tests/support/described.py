"""Models for tests that ask what a model takes and gives."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from tests.support.client import LIMIT_S
from torch_serving.models import examples
from torch_serving.models.examples import find_examples
from torch_serving.models.loader import load
from torch_serving.models.servable import Servable
from torch_serving.service.description import describe


class Several(torch.nn.Module):
    """A little of everything, as the example model takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(3, 4)

    def forward(
        self, d: list[torch.Tensor], o: torch.Tensor, td: dict[str, torch.Tensor], n: int, s: str
    ) -> tuple[dict[str, tuple[list[torch.Tensor], str, int]], str]:
        scores = [self.hidden(tensor + o.sum() + d[0].sum()) for tensor in td.values()]
        return {"scores": (scores, s, n + 1)}, s + "!"

    @torch.jit.export
    def scaled(self, x: torch.Tensor, by: float = 0.5, name: str = "é") -> torch.Tensor:
        return x * by


class Impossible(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view([1234, 5])


def described(path: Path) -> tuple[Servable, dict[str, Any]]:
    servable, copy = (load(path, torch.device("cpu")) for _ in range(2))
    with patch.object(examples, "MAX_SEARCH_S", LIMIT_S):
        found = dict(find_examples(copy, copy.method_names()))
    return servable, describe(servable, found)

"""Workloads: a model, the numbers of a request, and numbers of connections."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.support.payloads import FEATURES, IMAGE, conv, mlp

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Workload:
    name: str
    model: torch.jit.ScriptModule
    numbers: Numbers
    connections: tuple[int, ...]

    def expected(self, numbers: Numbers) -> torch.Tensor:
        with torch.inference_mode():
            result: torch.Tensor = self.model(torch.from_numpy(numbers.astype(np.float32)))
        return result.flatten()


def workloads() -> list[Workload]:
    return [
        Workload("mlp", mlp(), FEATURES, (1, 8, 64)),
        Workload("image", conv(), IMAGE, (1, 4)),
    ]


BodyMaker = Callable[[Numbers], dict[str, Any] | list[Any]]
ResultReader = Callable[[Any], torch.Tensor]


def shape_and_value(numbers: Numbers) -> dict[str, Any]:
    """Flat numbers: every parser and numpy read them faster than nested ones."""
    return {"shape": list(numbers.shape), "value": numbers.ravel().tolist()}


def nested(numbers: Numbers) -> dict[str, Any]:
    return {"x": numbers.tolist()}


def envelope(numbers: Numbers) -> list[Any]:
    return [{"type": "tensor", **shape_and_value(numbers)}]


def plain_result(response: Any) -> torch.Tensor:
    return torch.tensor(response).flatten()


def envelope_result(response: Any) -> torch.Tensor:
    return torch.tensor(response["result"]["value"])

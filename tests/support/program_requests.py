"""Requests to exported programs in all wire forms, and those that are refused."""

import json
from typing import Any, NamedTuple

import safetensors.torch
import torch

SHAPES = "Incompatible tensor shapes"
TYPES = "Incompatible tensor data type"
INPUT = "Invalid Input JSON"


class Wrong(NamedTuple):
    """A request that is refused, in words, and the error; `S` stands for a symbol."""

    what: str
    model: str
    body: Any
    description: str
    detail: str
    media_type: str = ""

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def rows(count: int, columns: int = 4) -> list[list[float]]:
    return [[0.0] * columns] * count


def envelope(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tensor", "value": value, **more}


def oip(**tensors: tuple[str, list[int], list[Any]]) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": shape, "data": data}
            for name, (datatype, shape, data) in tensors.items()
        ]
    }


def safe(**tensors: torch.Tensor) -> bytes:
    return bytes(safetensors.torch.save(tensors))


FEATURES = {"user": [1, 2], "item": [3, 4]}
TREES = {
    "features": FEATURES,
    "images": [[1, 2], [3, 4]],
    "pair": [[1, 2], [3, 4]],
    "box": {"low": [1, 2]},
}
KINDS = {"b16": [1, 2], "f16": [1, 2], "i32": [1, 2], "u8": [1, 2], "b": [1, 0]}
ONE_ROW = ("FP32", [1, 4], [0] * 4)

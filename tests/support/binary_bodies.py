"""Bodies as safetensors and .npy, made and read."""

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch

SAFE, NUMPY, JSON = "application/vnd.safetensors", "application/x-npy", "application/json"
FLOATS = torch.tensor([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]])


class Response(NamedTuple):
    status: int
    type: str
    body: bytes

    @property
    def document(self) -> Any:
        assert self.type.partition(";")[0] == JSON
        return json.loads(self.body)


Ask = Callable[..., Response]


def npy_of(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def array_in(response: Response) -> np.ndarray:
    assert (response.status, response.type) == (200, NUMPY), response
    return np.load(io.BytesIO(response.body), allow_pickle=False)


def tensors_in(response: Response) -> dict[str, torch.Tensor]:
    assert (response.status, response.type) == (200, SAFE), response
    return safetensors.torch.load(response.body)

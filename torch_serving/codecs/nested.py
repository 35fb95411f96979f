"""Results as tensors of safetensors, with their nesting in the file's metadata.

`result` there is the JSON of `/serve` in which a tensor is `{"type":"tensor","name":"0"}`.
"""

from typing import Any

import numpy as np
import torch

from torch_serving.codecs.interfaces import JSON_HEADERS, Encoded, MethodInfo, Response
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.codecs.safetensors import write
from torch_serving.codecs.tensor_tree.specs import Leaf
from torch_serving.errors import UnsupportedResult


class Nothing:
    """No value is one: all tensors are written by their names."""


class Collector:
    """Names the tensors of one result, in the order in which they are written."""

    def __init__(self, method: MethodInfo) -> None:
        self._other_envelope = method.to_envelope
        self.leaves: dict[str, Leaf] = {}

    def envelope_of(self, value: Any) -> dict[str, Any] | None:
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value)
        if not isinstance(value, torch.Tensor):
            return self._other_envelope(value)
        name = str(len(self.leaves))
        self.leaves[name] = value
        return {"type": "tensor", "name": name}


def encode_nested(method: MethodInfo, outputs: Any) -> Encoded:
    """Encode a result; one that safetensors can't hold is JSON, and says so."""
    found = Collector(method)
    spec = method.signature.result
    encoder = Encoder(Nothing, lambda value: value, to_envelope=found.envelope_of, spec=spec)
    try:
        return write(found.leaves, encoder.encode(outputs).decode())
    except UnsupportedResult:
        encoded = method.encode(outputs)
    return encoded if isinstance(encoded, Response) else Response(JSON_HEADERS, encoded)

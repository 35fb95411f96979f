"""Requests to exported programs, and what is read of their methods."""

import json
import re
from typing import Any

import torch

from torch_serving.models.servable import Method
from torch_serving.service.inference import invocation_of
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime

CPU = torch.device("cpu")
SYMBOL = re.compile(r"\bs\d+\b")  # torch names them as it likes


def method_of(runtime: Runtime, model: str) -> Method:
    return runtime.models.preload(f"{model}.pt2", CPU).main_method()


def run(runtime: Runtime, model: str, body: Any, **request: Any) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    invocation = invocation_of(
        method_of(runtime, model), InferenceRequest(f"{model}.pt2", **request)
    )
    return bytes(runtime.inference.run(invocation, text).body)


def without_symbols(value: Any) -> Any:
    return json.loads(SYMBOL.sub("S", json.dumps(value)))


TENSORS = {
    "features.user": [1, 2], "features.item": [3, 4], "images.0": [1, 2], "images.1": [3, 4],
    "pair.left": [1, 2], "pair.right": [3, 4], "box.low": [1, 2],
}  # fmt: skip
RESULTS = {
    "output_0.sum": [4, 6], "output_0.box": [3, 6], "output_1.0": [2, 3], "output_1.1": [4, 5],
    "output_2.left": [3, 4], "output_2.right": [1, 2],
}  # fmt: skip

"""Requests to models whose tensors are declared."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from torch_serving.errors import ServingError
from torch_serving.service.inference import invocation_of
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime

CPU = torch.device("cpu")


def run(runtime: Runtime, model: str, body: Any, **request: Any) -> bytes:
    method = runtime.models.preload(model, CPU).method("forward")
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    invocation = invocation_of(method, InferenceRequest(model, **request))
    return runtime.inference.run(invocation, body).body


def error_of(call: Callable[[], Any]) -> ServingError:
    with pytest.raises(ServingError) as caught:
        call()
    return caught.value

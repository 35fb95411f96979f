"""Methods that batch, and bodies of one row."""

import json

from tests.support.client import tensor
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.model_config import ModelConfig
from torch_serving.models.servable import Method


def method(
    arguments: str = "x: Tensor",
    result: str = "Tensor",
    body: str = "return x * 2",
    max_batch: int = 32,
) -> Method:
    config = ModelConfig(batch=True, max_batch=max_batch)
    return method_of(scripted(arguments, result, body), config)


def body_of(*values: object, data_type: str = "float32") -> bytes:
    return json.dumps([tensor([1, len(values)], list(values), data_type)]).encode()

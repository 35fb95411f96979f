"""TorchServe: a handler that reads the bodies; its base class loads the model and runs it."""

from typing import Any

import numpy as np
import orjson
import torch
from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def initialize(self, context: Any) -> None:
        torch.set_num_threads(1)
        super().initialize(context)

    def preprocess(self, data: list[dict[str, bytearray]]) -> torch.Tensor:
        return torch.cat([tensor_of(request["body"]) for request in data])

    def postprocess(self, data: torch.Tensor) -> list[bytes]:
        return [orjson.dumps(y.numpy(), option=orjson.OPT_SERIALIZE_NUMPY) for y in data.split(1)]


def tensor_of(text: bytearray) -> torch.Tensor:
    body = orjson.loads(text)
    return torch.from_numpy(np.array(body["value"], np.float32).reshape(body["shape"]))

"""Servables and methods that were never a file."""

import torch

from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.servable import Method, ModelSource, Servable

CPU = torch.device("cpu")
DEFAULT = ModelConfig()


def method_of(
    module: torch.jit.ScriptModule, config: ModelConfig = DEFAULT, identifier: str = "model"
) -> Method:
    """The method `forward` of a module that is served on the CPU."""
    servable = Servable(TorchScriptProgram(module), CPU, config, ModelSource(identifier))
    return servable.method("forward")

"""Source of TorchScript and tensors -> a module of its own.

Each has its own compilation unit, as a file of TorchScript has: what is loaded once is freed once.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import torch

from torch_serving.models.backends.export.graph.values import FALSE, ONE, TRUE, Untranslatable

CLASS = "__torch__.Program"
KNOWN: Mapping[str, Any] = {"torch": torch, "math": math}  # the names that a source may use
POINTER = re.compile(r"^( *)(.*)\n *~+.* <--- HERE", re.MULTILINE)
MAX_SHOWN = 200


def script(source: str, tensors: Mapping[str, torch.Tensor]) -> torch.jit.ScriptModule:
    """Compile a source that has a method `forward`. Raises Untranslatable."""
    native: Any = torch._C
    module = native.ScriptModule(CLASS, native.CompilationUnit(), True)
    for name, tensor in tensors.items():
        module._register_attribute(name, native.TensorType.get(), tensor)
    for text, value in ((TRUE, True), (FALSE, False), (ONE, 1)):
        name = text.removeprefix("self.")
        module._register_attribute(name, native.NumberType.get(), value)
    module._register_attribute("training", native.BoolType.get(), False)  # freezing asks for it
    type_ = native.ConcreteModuleType.from_jit_type(module._type())
    try:
        module._define(type_, source, KNOWN.get)
    except RuntimeError as error:
        raise Untranslatable(f"TorchScript refuses it: {told_by(str(error))}") from error
    recursive: Any = torch.jit._recursive
    wrapped: torch.jit.ScriptModule = recursive.wrap_cpp_module(module)
    return wrapped


def told_by(message: str) -> str:
    """The first line of torch's message, and the line of source that it points at."""
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    place = POINTER.search(message)
    return f"{first[:MAX_SHOWN]} (at `{place[2][:MAX_SHOWN]}`)" if place else first[:MAX_SHOWN]

"""A model whose code is not for its device: what is wrong, and where to serve it."""

import json
from typing import Any

import pytest
import torch

from tests.support.client import tensor
from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.engine.placement_errors import ADVICE, placement_error
from torch_serving.errors import InferenceFailed
from torch_serving.models.backends.export.package import errors as packages
from torch_serving.models.backends.torchscript.program import translate

SAME = "Expected all tensors to be on the same device, but"
CONV = "Input type (torch.FloatTensor) and weight type (torch.cuda.FloatTensor) should be the same"
BACKEND = (
    "Could not run 'quantized::linear' with arguments from the 'CUDA' backend. This could be "
    "because the operator doesn't exist for this backend, or was omitted"
)
TEXTS = [
    (f"{SAME} found at least two devices, cuda:0 and cpu!", "devices, cuda:0 and cpu!"),
    (f"{SAME} got mat2 is on cpu, different from other tensors on cuda:0 (when)", "on cpu, differ"),
    (CONV, "should be the same"),
    ("indices should be either on cpu or on the same device as the indexed tensor (cpu)", "(cpu)"),
    (BACKEND, "'quantized::linear' with arguments from the 'CUDA' backend;"),
    ("Found no NVIDIA driver on your system. Please check that you have one", "on your system;"),
    ("CUDA error: no CUDA-capable device is detected\nSearch for `cudaError", "is detected;"),
    ("CUDA error: invalid device ordinal\nGPU device may be out of range", "ordinal;"),
]
OTHERS = [
    "Input type (float) and bias type (double) should be the same",
    "Could not run 'aten::mm' with arguments from the 'SparseCPU' backend.",
    "CUDA error: device-side assert triggered",
    f"a model said: {SAME}",
]


@pytest.mark.parametrize("of", [translate, packages.translate])
@pytest.mark.parametrize(("text", "part"), TEXTS, ids=range(len(TEXTS)))
def test_the_device_is_wrong(of: Any, text: str, part: str):
    problem = of(RuntimeError(text))
    assert type(problem) is InferenceFailed
    assert part in problem.detail
    assert problem.detail.endswith(ADVICE)
    assert "Please" not in problem.detail
    assert "Search" not in problem.detail


@pytest.mark.parametrize("text", OTHERS)
def test_the_device_is_right(text: str):
    assert placement_error(RuntimeError(text), text) is None


@pytest.mark.skipif(torch.version.cuda is not None, reason="knows CUDA")
@pytest.mark.parametrize(
    "body", ["x + torch.zeros([2], device=torch.device('cuda:0'))", "x.to('cuda')", "x.cuda()"]
)
def test_code_for_a_card(body: str):
    method = method_of(scripted("x: Tensor", "Tensor", f"return {body}"))
    inputs = method.decode(json.dumps([tensor([2], [1.0, 2.0])]).encode())
    with pytest.raises(InferenceFailed) as failed:
        method.run(inputs)
    assert failed.value.detail.endswith(ADVICE)
    assert len(failed.value.detail) < 600


def test_words_of_the_model_are_its_own():
    error = torch.jit.Error(f"RuntimeError: {SAME} no")
    assert ADVICE not in translate(error).detail

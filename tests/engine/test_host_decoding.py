"""Decoding leaves the device alone: other threads' runs would not wait for what it copies."""

import io
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from tests.support.client import tensor
from tests.support.servables import scripted
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.media_types import codec_of
from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.python_values import PythonInvocation
from torch_serving.engine.interfaces import Invocation
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.servable import Method, Servable

ELSEWHERE = torch.device("meta")  # what is copied there is seen to be there
ARRAY = np.arange(20_000, dtype=np.float32).reshape(1, -1)


def method() -> Method:
    program = TorchScriptProgram(scripted("x: Tensor", "Tensor", "return x"))
    return Servable(program, ELSEWHERE).method("forward")


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, ARRAY)
    return file.getvalue()


def oip() -> tuple[bytes, int]:
    given = {"name": "x", "shape": [1, 20_000], "datatype": "FP32"}
    given["parameters"] = {"binary_data_size": ARRAY.nbytes}
    head = json.dumps({"inputs": [given]}).encode()
    return head + ARRAY.tobytes(), len(head)


def requests() -> list[tuple[str, Invocation, object]]:
    model = method()
    body, json_bytes = oip()
    values = ARRAY.ravel().tolist()
    found: list[tuple[str, Invocation, object]] = [
        ("JSON", model, json.dumps([tensor([1, 20_000], values)]).encode()),
        ("bfloat16", model, json.dumps([tensor([1, 20_000], values, "bfloat16")]).encode()),
        ("binary V2", OipInvocation(model, "model", json_bytes), body),
        ("Python", PythonInvocation(model), [torch.from_numpy(ARRAY)]),
    ]
    for media_type, data in (
        ("application/vnd.safetensors", save({"x": ARRAY})),
        ("application/x-npy", npy()),
    ):
        found.append((media_type, CodecInvocation(model, codec_of(media_type), None), data))
    return found


@pytest.mark.parametrize("number", range(6))
def test_inputs_are_in_host_memory(number: int):
    name, invocation, body = requests()[number]
    data = bytearray(body) if isinstance(body, bytes) else body
    (value,) = invocation.decode(data)  # type: ignore[arg-type]
    assert value.device.type == "cpu", name
    assert torch.equal(value.float(), torch.from_numpy(ARRAY).to(value.dtype).float())

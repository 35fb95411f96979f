"""Binary bodies: safetensors beside their library, .npy beside numpy, and V2's binary data."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.support.payloads import FEATURES, IMAGE
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.npy import NPY
from torch_serving.codecs.oip.request import InferRequest, read_request
from torch_serving.codecs.oip.response import write_response
from torch_serving.codecs.safetensors import SAFETENSORS

ARGUMENTS = [Argument("x", TypeSpec("tensor", "Tensor"))]
TENSORS = {
    "image": torch.from_numpy(IMAGE.astype(np.float32)),
    "1000": torch.linspace(-1, 1, 1000).reshape(1, -1),
    "small": torch.from_numpy(FEATURES.astype(np.float32)),
}
REQUEST = InferRequest(None, {}, [], True)


def npy_of(tensor: torch.Tensor) -> bytes:
    file = io.BytesIO()
    np.save(file, tensor.numpy())
    return file.getvalue()


def v2_of(tensor: torch.Tensor) -> tuple[bytes, int]:
    parameters = {"binary_data_size": tensor.nbytes}
    given = {"name": "x", "shape": list(tensor.shape), "datatype": "FP32", "parameters": parameters}
    head = json.dumps({"inputs": [given]}).encode()
    return head + tensor.numpy().tobytes(), len(head)


def reader_of(form: str, tensor: torch.Tensor) -> Callable[[], Any]:
    """A function that reads a body in memory of its own, as the server's are."""
    if form == "v2":
        v2, json_bytes = v2_of(tensor)
        body = bytearray(v2)
        return lambda: read_request(body, json_bytes, False).inputs["x"]
    if form == "npy":
        body = bytearray(npy_of(tensor))
        return lambda: NPY.read(body, ARGUMENTS)["x"]
    written = safetensors.torch.save({"x": tensor})
    body = bytearray(written)
    if form == "library":
        return lambda: safetensors.torch.load(bytes(body))["x"]  # it takes nothing else
    return lambda: SAFETENSORS.read(body, ARGUMENTS)["x"]


def writer_of(form: str, tensor: torch.Tensor) -> Callable[[], bytes]:
    tensors: dict[str, Any] = {"x": tensor}
    if form == "v2":
        return lambda: write_response("model.pt", "1", REQUEST, tensors).body
    if form == "library":
        return lambda: safetensors.torch.save(tensors)
    codec = NPY if form == "npy" else SAFETENSORS
    return lambda: codec.write(tensors)


def rounds_of(tensor: torch.Tensor) -> dict[str, int]:
    return {"rounds": 30, "iterations": 50 if tensor.nbytes > 1 << 16 else 1000}


@pytest.mark.benchmark(group="read a binary body")
@pytest.mark.parametrize("payload", TENSORS)
@pytest.mark.parametrize("form", ["safetensors", "library", "npy", "v2"])
def bench_read(benchmark: BenchmarkFixture, form: str, payload: str) -> None:
    tensor = TENSORS[payload]
    read = reader_of(form, tensor)
    assert torch.equal(read(), tensor)
    benchmark.pedantic(read, **rounds_of(tensor))


@pytest.mark.benchmark(group="write a binary body")
@pytest.mark.parametrize("payload", TENSORS)
@pytest.mark.parametrize("form", ["safetensors", "library", "npy", "v2"])
def bench_write(benchmark: BenchmarkFixture, form: str, payload: str) -> None:
    tensor = TENSORS[payload]
    write = writer_of(form, tensor)
    assert write().endswith(tensor.numpy().tobytes())
    benchmark.pedantic(write, **rounds_of(tensor))

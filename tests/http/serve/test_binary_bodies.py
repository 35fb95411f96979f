"""Binary bodies at /serve, on both servers: safetensors and .npy, in and out."""

import io
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.lib import format as npy

from tests.support.binary_bodies import (
    FLOATS,
    JSON,
    NUMPY,
    SAFE,
    Ask,
    array_in,
    npy_of,
    tensors_in,
)
from tests.support.client import scalar, tensor
from torch_serving.codecs.safetensors import SAFETENSORS


def test_a_tensor_for_each_argument_and_each_part_of_the_result(ask: Ask):
    body = safetensors.torch.save({"y": FLOATS, "x": FLOATS * 3})
    assert torch.equal(tensors_in(ask("two.pt", body, SAFE, SAFE))["output_0"], FLOATS * 2)
    body = safetensors.torch.save({"d.a": FLOATS, "d.b": FLOATS[0].clone()})
    received = tensors_in(ask("tensors.pt", body, SAFE, SAFE))
    assert torch.equal(received["a"], FLOATS)
    assert torch.equal(received["b"], FLOATS[0])


@pytest.mark.parametrize(
    "dtype",
    [torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32,
     torch.int64, torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (0,), (2, 0)])
def test_every_data_type(ask: Ask, dtype: torch.dtype, shape: tuple[int, ...]):
    sent = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    body = safetensors.torch.save({"x": sent})
    received = tensors_in(ask("echo.pt", body, SAFE, SAFE))["output_0"]
    assert (received.dtype, received.shape) == (dtype, sent.shape)
    assert torch.equal(received.double(), sent.double())
    if dtype != torch.bfloat16:
        array = array_in(ask("echo.pt", npy_of(sent.numpy()), NUMPY, NUMPY))
        assert (array.dtype, array.shape) == (sent.numpy().dtype, sent.numpy().shape)
        assert np.array_equal(array, sent.numpy())


def test_numbers_are_tensors_of_one_element(ask: Ask):
    body = safetensors.torch.save({"x": FLOATS, "n": torch.tensor(5)})
    assert torch.equal(tensors_in(ask("default.pt", body, SAFE, SAFE))["output_0"], FLOATS * 5)
    body = safetensors.torch.save({"x": FLOATS})
    assert torch.equal(tensors_in(ask("default.pt", body, SAFE, SAFE))["output_0"], FLOATS * 2)


def test_forms_of_body_and_response_need_not_be_the_same(ask: Ask):
    body = safetensors.torch.save({"x": FLOATS})
    document = tensor([2, 3], FLOATS.flatten().tolist())
    assert ask("echo.pt", body, SAFE).document["result"] == document
    assert ask("echo.pt", body, SAFE, "application/json").document["result"] == document
    text = json.dumps([document]).encode()
    assert torch.equal(tensors_in(ask("echo.pt", text, JSON, SAFE))["output_0"], FLOATS)
    assert np.array_equal(array_in(ask("echo.pt", text, JSON, NUMPY)), FLOATS.numpy())
    assert np.array_equal(array_in(ask("echo.pt", body, SAFE, NUMPY)), FLOATS.numpy())


@pytest.mark.parametrize(
    "array",
    [
        FLOATS.numpy().T,
        np.asfortranarray(FLOATS.numpy()),
        FLOATS.numpy().astype(">f4"),
        FLOATS.numpy().astype(">i8"),
        FLOATS.numpy()[:, ::2],
        np.array(3.5),
        FLOATS.numpy().astype("complex64"),
    ],
)
def test_arrays_of_any_order(ask: Ask, array: np.ndarray):
    assert np.array_equal(array_in(ask("echo.pt", npy_of(array), NUMPY, NUMPY)), array)


def test_a_header_of_version_2(ask: Ask):
    buffer = io.BytesIO()
    npy.write_array(buffer, FLOATS.numpy(), version=(2, 0))
    response = ask("echo.pt", buffer.getvalue(), NUMPY, NUMPY)
    assert np.array_equal(array_in(response), FLOATS.numpy())


def test_a_model_that_writes_into_its_input(ask: Ask):
    for _ in range(2):
        response = ask("writing.pt", npy_of(FLOATS.numpy()), NUMPY, NUMPY)
        assert np.array_equal(array_in(response), FLOATS.numpy() + 1)


def test_results_that_share_memory_or_do_not_lie_row_by_row(ask: Ask):
    body = safetensors.torch.save({"x": FLOATS})
    for model, expected in (("transposed.pt", FLOATS.t()), ("strided.pt", FLOATS[::2])):
        assert torch.equal(tensors_in(ask(model, body, SAFE, SAFE))["output_0"], expected)
        assert np.array_equal(array_in(ask(model, body, SAFE, NUMPY)), expected.numpy())
    shared = {"a": FLOATS[0], "b": FLOATS[0], "c": FLOATS}
    received = safetensors.torch.load(SAFETENSORS.write(shared))
    assert torch.equal(received["c"], FLOATS)
    assert torch.equal(received["a"], received["b"])


def test_results_that_a_form_does_not_hold(ask: Ask):
    text = json.dumps([{"type": "string", "value": "a"}]).encode()
    assert ask("str.pt", text, JSON, SAFE).document["description"] == "Unsupported result"
    response = ask("str.pt", text, JSON, NUMPY)
    assert (response.status, response.document["description"]) == (406, "Not acceptable")
    body = safetensors.torch.save({"d.0": FLOATS, "d.1": FLOATS.clone()})
    assert ask("list.pt", body, SAFE, NUMPY).status == 406
    half = safetensors.torch.save({"x": FLOATS.bfloat16()})
    assert "no bfloat16" in ask("echo.pt", half, SAFE, NUMPY).document["detail"]
    response = ask("two.pt", npy_of(FLOATS.numpy()), NUMPY)
    assert "holds one tensor; the model takes x, y" in response.document["detail"]


def test_one_tensor_goes_to_the_argument_that_needs_one(ask: Ask):
    array = array_in(ask("default.pt", npy_of(FLOATS.numpy()), NUMPY, NUMPY))
    assert np.array_equal(array, 2 * FLOATS.numpy())
    response = ask("int.pt", npy_of(np.array(7)), NUMPY)
    assert response.document["result"] == scalar(7, "int64")

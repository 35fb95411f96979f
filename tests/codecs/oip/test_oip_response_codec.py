"""Responses of the Open Inference Protocol, written without HTTP, models or the engine."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.oip import body_of, byte_strings, entry
from torch_serving.codecs.oip.request import (
    InferRequest,
    RequestedOutput,
    read_request,
)
from torch_serving.codecs.oip.response import remembered, write_response
from torch_serving.codecs.tensor_tree.specs import StringTensor
from torch_serving.errors import (
    InvalidInput,
    UnsupportedResult,
)


def read(*inputs: dict[str, Any], buffers: tuple[bytes, ...] = (), **others: Any) -> InferRequest:
    body, headers = body_of(inputs, *buffers, **others)
    return read_request(bytearray(body), int(headers["Inference-Header-Content-Length"]))


def test_what_is_wanted_and_what_is_not_known():
    outputs = [
        {"name": "b", "parameters": {"binary_data": False, "unknown": {"x": [None]}}},
        {"name": "a"},
    ]
    request = read(
        entry(data=[1, 2, 3], unknown=1, parameters={"unknown": "x"}),
        outputs=outputs,
        parameters={"binary_data_output": True, "sequence_id": 3, "priority": 1, "timeout": 9},
        unknown=None,
    )
    assert request.outputs == [RequestedOutput("b", False), RequestedOutput("a", None)]
    assert request.binary
    tensors = {"a": torch.ones(2), "b": torch.zeros(1), "c": torch.ones(1)}
    body, json_bytes = write_response("m", "1", request, tensors)
    assert json_bytes is not None
    document = json.loads(body[:json_bytes])
    assert document == {
        "model_name": "m",
        "model_version": "1",
        "outputs": [
            {"name": "b", "datatype": "FP32", "shape": [1], "data": [0.0]},
            {
                "name": "a",
                "datatype": "FP32",
                "shape": [2],
                "parameters": {"binary_data_size": 8},
            },
        ],
    }
    assert body[json_bytes:] == np.ones(2, "float32").tobytes()


def test_an_output_that_is_not_there():
    request = InferRequest(None, {}, [RequestedOutput("b", None)], False)
    with pytest.raises(InvalidInput, match="output `b` is unknown; the model gives a"):
        write_response("m", "1", request, {"a": torch.ones(1)})


def test_strings_as_outputs():
    leaf = StringTensor((2,), ["é", 'a"b'])
    body, json_bytes = write_response("m", "1", InferRequest(None, {}, [], True), {"s": leaf})
    assert json_bytes is not None
    assert body[json_bytes:] == byte_strings("é".encode(), b'a"b')
    body, json_bytes = write_response("m", "1", InferRequest(None, {}, [], False), {"s": leaf})
    assert json_bytes is None
    assert json.loads(body)["outputs"][0] == {
        "name": "s",
        "datatype": "BYTES",
        "shape": [2],
        "data": ["é", 'a"b'],
    }


def test_names_and_ids_of_any_characters():
    text = 'é"\\\n\u2028'
    request = InferRequest(text, {}, [], False)
    body, _ = write_response(text, "1", request, {text: torch.ones(1)})
    document = json.loads(body)
    assert (document["id"], document["model_name"]) == (text, text)
    assert document["outputs"][0]["name"] == text


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e5m2])
def test_results_that_the_protocol_has_no_datatype_for(dtype: torch.dtype):
    tensors = {"x": torch.ones(1).to(dtype)}
    with pytest.raises(UnsupportedResult, match="output `x`: the protocol has no"):
        write_response("m", "1", InferRequest(None, {}, [], True), tensors)


@pytest.mark.parametrize("tensor", [torch.arange(6.0).reshape(2, 3).t(), torch.ones(1).expand(3)])
def test_results_that_do_not_lie_row_by_row(tensor: torch.Tensor):
    body, json_bytes = write_response("m", "1", InferRequest(None, {}, [], True), {"x": tensor})
    assert body[json_bytes:] == tensor.contiguous().numpy().tobytes()


def test_short_descriptions_are_remembered_and_tell_sizes_apart():
    remembered.cache_clear()
    request = InferRequest(None, {}, [], True)
    for size in (2, 3, 2):
        for name in ("a", "b" * 129):
            body, json_bytes = write_response("m", "1", request, {name: torch.ones(1, size)})
            output = json.loads(body[:json_bytes])["outputs"][0]
            assert (output["name"], output["shape"]) == (name, [1, size])
            assert output["parameters"] == {"binary_data_size": 4 * size}
    assert remembered.cache_info().currsize == 2

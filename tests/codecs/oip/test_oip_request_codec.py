"""Requests of the Open Inference Protocol, read without HTTP, models or the engine."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.loaded import method_of
from tests.support.oip import binary, body_of, byte_strings, entry
from tests.support.servables import scripted
from torch_serving.codecs.oip.datatypes import DATATYPES
from torch_serving.codecs.oip.request import (
    InferRequest,
    json_length,
    read_raw,
    read_request,
)
from torch_serving.codecs.oip.response import write_response
from torch_serving.codecs.tensor_tree.specs import StringTensor
from torch_serving.errors import (
    ClientError,
    InvalidInput,
    InvalidJson,
    InvalidParameter,
)

FLOATS = np.array([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]], "float32")


def read(*inputs: dict[str, Any], buffers: tuple[bytes, ...] = (), **others: Any) -> InferRequest:
    body, headers = body_of(inputs, *buffers, **others)
    return read_request(bytearray(body), int(headers["Inference-Header-Content-Length"]))


def from_json(text: str) -> InferRequest:
    return read_request(text.encode(), None)


def same(tensor: Any, expected: Any) -> bool:
    """Whether data type, shape and bits are the same."""
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.itemsize]
    return (
        tensor.dtype == expected.dtype
        and tensor.shape == expected.shape
        and torch.equal(tensor.view(bits), expected.view(bits))
    )


@pytest.mark.parametrize("name", DATATYPES)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0,), (3, 0, 2)])
def test_every_datatype_goes_both_ways_as_binary_data_and_as_json(name: str, shape: tuple):
    numbers = np.array(np.arange(math.prod(shape)).reshape(shape) % 2)
    tensor = torch.from_numpy(numbers).to(DATATYPES[name].tensor)
    for is_binary in (True, False):
        requested = InferRequest("7", {}, [], is_binary)
        body, json_bytes = write_response("m", "1", requested, {"x": tensor})
        document = json.loads(body[:json_bytes])
        assert (document["id"], document["outputs"][0]["datatype"]) == ("7", name)
        sent = {"inputs": document["outputs"], "id": document["id"]}
        text = json.dumps(sent).encode()
        request = read_request(bytearray(text + body[json_bytes or len(body) :]), len(text))
        assert request.id == "7"
        assert same(request.inputs["x"], tensor)


@pytest.mark.parametrize(
    ("data", "shape", "expected"),
    [
        ("[1, 2.5, -3e2, 4, 5, 6]", [2, 3], [[1, 2.5, -300], [4, 5, 6]]),
        ("[[1, 2, 3], [4, 5, 6]]", [2, 3], [[1, 2, 3], [4, 5, 6]]),
        ("[1, 2, 3, 4, 5, 6]", [3, 2], [[1, 2], [3, 4], [5, 6]]),
        ("[1]", [], 1),
        ("1", [], 1),
        ("1", [1], [1]),
        ("[]", [0, 3], np.empty((0, 3))),
        ("[[], []]", [2, 0], np.empty((2, 0))),
        ("[NaN, Infinity, -Infinity]", [3], [math.nan, math.inf, -math.inf]),
        ("[[NaN], [-Infinity]]", [2, 1], [[math.nan], [-math.inf]]),
        ("NaN", [], math.nan),
        ('["NaN", "Infinity", "-Infinity"]', [3], [math.nan, math.inf, -math.inf]),
    ],
)
@pytest.mark.parametrize("datatype", ["FP32", "FP64", "FP16", "BF16"])
def test_numbers_in_json_are_flat_or_nested_and_may_be_words(
    data: str, shape: list[int], expected: Any, datatype: str
):
    described = f'"name": "x", "data": {data}, "shape": {shape}, "datatype": "{datatype}"'
    request = from_json(f'{{"inputs": [{{{described}}}]}}')
    array = torch.tensor(expected, dtype=torch.float32).to(DATATYPES[datatype].tensor)
    assert torch.allclose(request.inputs["x"].float(), array.float(), equal_nan=True)
    assert list(request.inputs["x"].shape) == shape


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("[NaN]", "does not fit int32|expected a number that fits int32"),
        ("[-Infinity]", "fits? int32"),
        ("[1.5]", "1.5 does not fit int32"),
        ("[3000000000]", "3000000000 does not fit int32"),
        ('["NaN"]', "expected a number that fits int32"),
        ("[true]", "got true"),
    ],
)
def test_integers_take_no_words_and_lose_nothing(data: str, problem: str):
    with pytest.raises(ClientError, match=problem):
        from_json(f'{{"inputs":[{{"name":"x","datatype":"INT32","shape":[1],"data":{data}}}]}}')


@pytest.mark.parametrize(
    "token", ["nan", "NAN", "NaNs", "Inf", "+Infinity", "-NaN", "Infinit", "-Infinityx", "-Inf"]
)
@pytest.mark.parametrize("template", ["[1, {}]", "[[1], [{}]]", "{}"])
def test_other_words_are_no_json(token: str, template: str):
    data = template.format(token)
    with pytest.raises(InvalidJson, match="byte "):
        from_json(f'{{"inputs":[{{"name":"x","datatype":"FP32","shape":[],"data":{data}}}]}}')
    with pytest.raises(InvalidJson, match="byte "):
        from_json(f'{{"inputs":[], "parameters": {{"ignored": {data}}}}}')


def test_a_buffer_that_lies_well_is_the_tensor_and_any_other_is_copied_once():
    for padding in range(8):
        text = json.dumps({"inputs": [binary(FLOATS)]}).encode() + b" " * padding
        body = bytearray(text + FLOATS.tobytes())
        tensor = read_request(body, len(text)).inputs["x"]
        assert torch.equal(tensor, torch.from_numpy(FLOATS))
        assert tensor.data_ptr() % 4 == 0
        at = np.frombuffer(body, np.uint8).ctypes.data + len(text)
        assert (tensor.data_ptr() == at) == (at % 4 == 0)


def test_a_body_that_can_not_be_written_to_is_copied():
    body, headers = body_of([binary(FLOATS)], FLOATS.tobytes())
    before = bytes(body)
    tensor = read_request(body, int(headers["Inference-Header-Content-Length"])).inputs["x"]
    tensor.add_(1)
    assert body == before


def test_buffers_stand_in_the_order_of_the_inputs_that_have_one():
    one, two = np.ones(2, "float32"), np.arange(3, dtype="int64")
    request = read(
        binary(one, "a"),
        entry("b", [1], "INT8", data=[7]),
        binary(two, "c", "INT64"),
        entry("d", [2], "BYTES", parameters={"binary_data_size": 11}),
        buffers=(one.tobytes(), two.tobytes(), byte_strings("é".encode(), b"x")),
    )
    assert request.inputs["a"].tolist() == [1.0, 1.0]
    assert request.inputs["b"].tolist() == [7]
    assert request.inputs["c"].tolist() == [0, 1, 2]
    assert request.inputs["d"] == StringTensor((2,), ["é", "x"])


def test_strings_in_json_are_flat_or_nested():
    for data in (["a", "é", "", "d"], [["a", "é"], ["", "d"]]):
        request = read(entry(shape=[2, 2], datatype="BYTES", data=data))
        assert request.inputs["x"] == StringTensor((2, 2), ["a", "é", "", "d"])


def arguments_of(source: str) -> Any:
    module = scripted(source, "int", "return 1")
    return method_of(module).signature.arguments


def test_a_body_without_json_is_one_input():
    request = read_raw(bytearray(FLOATS.tobytes()), arguments_of("x: Tensor, n: int = 2"), "FP32")
    assert request.inputs["x"].tolist() == FLOATS.ravel().tolist()
    assert request.binary
    request = read_raw("é".encode(), arguments_of("s: str"), "FP32")
    assert request.inputs["s"] == StringTensor((1,), ["é"])
    for source in ("x: Tensor, y: Tensor", "d: List[Tensor]", "n: int"):
        with pytest.raises(InvalidInput, match="a body without JSON is"):
            read_raw(bytearray(8), arguments_of(source), "FP32")
    with pytest.raises(InvalidInput, match="7 bytes are no FP32"):
        read_raw(bytearray(7), arguments_of("x: Tensor"), "FP32")


@pytest.mark.parametrize("text", ["-1", "", "1.0", "0x10", "１", "9" * 20, "1 2", "+1"])
def test_lengths_that_are_none(text: str):
    with pytest.raises(InvalidParameter, match="expected a whole number"):
        json_length(text)


def test_lengths():
    assert json_length(None) is None
    assert json_length("0") == 0
    assert json_length("120") == 120


@pytest.mark.parametrize(
    ("inside", "around"),
    [
        ("", '"id":null,"parameters":null,"outputs":null'),
        ("", '"parameters":{"binary_data_output":null}'),
        ('"parameters":null', '"id":null'),
        ('"parameters":{"binary_data_size":null}', '"outputs":[{"name":"y","parameters":null}]'),
        ("", '"outputs":[{"name":"y","parameters":{"binary_data":null}}]'),
    ],
)
def test_null_is_absent(inside: str, around: str):
    entry_ = f'{{"name":"x","datatype":"FP32","shape":[1],"data":[1]{inside and ","}{inside}}}'
    request = from_json(f'{{"inputs":[{entry_}],{around}}}')
    assert (request.id, request.inputs["x"].tolist(), request.binary) == (None, [1.0], False)
    assert [each.binary for each in request.outputs] in ([], [None])

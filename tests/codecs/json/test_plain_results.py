"""Results without envelopes: what JSON has by itself, tensors nested as numpy nests them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.encoding import ENCODER, Pair, parse, to_array
from tests.support.json_values import plain
from tests.support.typed_models import CASES, Case, file_of
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.errors import NotAcceptable, UnsupportedResult
from torch_serving.models.loader import load

STR = TypeSpec("str", "str")
INT_KEYS = TypeSpec("dict", "Dict[int, str]", TypeSpec("int", "int"), STR)


def encode(value: Any) -> str:
    return ENCODER.encode_plain(value).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (2**63 - 1, "9223372036854775807"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (float("nan"), '"NaN"'),
        (float("inf"), '"Infinity"'),
        (float("-inf"), '"-Infinity"'),
        ("", '""'),
        ('a"\n', r'"a\"\n"'),
        (None, "null"),
        ([], "[]"),
        ((), "[]"),
        ((None, [True], ()), "[null,[true],[]]"),
        ({}, "{}"),
        ({"p": 2.0}, '{"p":2.0}'),
        ({"b": {"": []}, "a": "x"}, '{"b":{"":[]},"a":"x"}'),
        ({1: "a", -2: {3: 4}}, '[[1,"a"],[-2,[[3,4]]]]'),
        ({True: 1}, "[[true,1]]"),
        ({0.5: 1, float("inf"): 2}, '[[0.5,1],["Infinity",2]]'),
        (Pair(1, [Pair("b", None)]), '{"left":1,"right":[{"left":"b","right":null}]}'),
        (np.array(2.5, "f4"), "2.5"),
        (np.array(True), "true"),
        (np.array(["nan", "inf", -0.0], "f8"), '["NaN","Infinity",-0.0]'),
        (np.array([[1, 2], [3, 4]], "u1"), "[[1,2],[3,4]]"),
        (np.array([[[1], [2]]], "i8"), "[[[1],[2]]]"),
        (np.array([0.1], "f4"), "[0.1]"),
        ([np.zeros((1, 1), "?"), {"t": np.zeros(0)}], '[[[false]],{"t":[]}]'),
    ],
)
def test_values(value: Any, expected: str):
    assert encode(value) == expected
    assert encode([value, value]) == f"[{expected},{expected}]"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((0,), "[]"),
        ((2, 0), "[[],[]]"),
        ((0, 2), "[]"),
        ((1, 2, 0, 3), "[[[],[]]]"),
        ((0, 2**40), "[]"),
        ((1, 0, 2**40), "[[]]"),
        ((1,) * 32, "[" * 32 + "0.0" + "]" * 32),
    ],
)
def test_shapes(shape: tuple[int, ...], expected: str):
    assert encode(np.zeros(shape)) == expected


ARRAYS = arrays.arrays(
    st.sampled_from(["?", "u1", "i2", "i8", "u8", "f2", "f4", "f8"]).map(np.dtype),
    arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
)


@given(ARRAYS)
def test_tensors_are_nested_as_numpy_nests_them(array: np.ndarray):
    read = np.array(parse(encode(array)), array.dtype)  # the shortest digits are read back exactly
    assert nesting(parse(encode(array))) == nesting(array.tolist())
    assert np.array_equal(read.reshape(array.shape), array, equal_nan=array.dtype.kind == "f")


def nesting(value: Any) -> Any:
    return [nesting(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize("shape", [(5000,), (3, 5000), (5000, 3), (70, 70, 1), (4097, 1)])
def test_large_tensors(shape: tuple[int, ...]):
    array = np.arange(np.prod(shape)).reshape(shape)
    assert parse(encode(array)) == array.tolist()


def test_the_keys_of_empty_dictionaries_are_as_declared():
    encoder = Encoder(np.ndarray, to_array, spec=TypeSpec("list", "List", INT_KEYS))
    assert encoder.encode_plain([{1: "a"}, {}]) == b'[[[1,"a"]],[]]'


def test_other_values_are_the_values_of_their_envelopes():
    def envelope_of(value: Any) -> dict[str, Any] | None:
        if isinstance(value, range):
            return {"type": "object", "name": "range", "value": {"stop": value.stop}}
        return {"type": "enum", "value": "RED"} if isinstance(value, slice) else None

    encoder = Encoder(np.ndarray, to_array, to_envelope=envelope_of)
    assert encoder.encode_plain([range(3), slice(1)]) == b'[{"stop":3},"RED"]'
    with pytest.raises(UnsupportedResult, match=r"result\[0\]: a value of type object"):
        encoder.encode_plain([object()])


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (1j, "result: a complex number has no plain form; ask without `plain`"),
        ({"a": [1j]}, "result['a'][0]: a complex number has"),
        ({1j: 1}, "result: a dictionary with complex keys has"),
        ((np.zeros(2, "c8"),), "result[0]: a tensor of complex numbers has"),
        (np.zeros((2**20 + 1, 0)), "result: a tensor of more than 1048576 empty arrays has"),
        (np.zeros((2**15, 2**15, 0)), "result: a tensor of more than 1048576 empty arrays has"),
    ],
)
def test_what_has_no_plain_form(value: Any, detail: str):
    with pytest.raises(NotAcceptable) as caught:
        encode(value)
    assert caught.value.detail.startswith(detail)
    assert json.loads(ENCODER.encode([1]))  # the next result is written as ever


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_results_of_each_type(typed_models: Path, case: Case):
    """A plain result is as a plain request: numbers, nested arrays, objects."""
    method = load(typed_models / file_of(case.type), torch.device("cpu")).method("forward")
    (argument,) = method.signature.arguments
    inputs = method.decode(json.dumps({argument.name: plain(case.value)}).encode())
    outputs = method.run(inputs)
    if b"complex" in method.encode(outputs):
        with pytest.raises(NotAcceptable):
            method.encode_plain(outputs)
    else:
        result = parse(method.encode_plain(outputs))["result"]
        assert result == bare(json.loads(method.encode(outputs))["result"])


def bare(value: Any) -> Any:
    """A result without its envelopes."""
    if isinstance(value, list):
        return [bare(each) for each in value]
    if value["type"] == "tensor":
        dtype = value["data_type"].replace("bfloat16", "float32")
        return np.array(value["value"], dtype).reshape(value["shape"]).tolist()
    if value["type"] == "none":
        return None
    members = value["value"]
    if "key_type" in value:
        tensors = value["key_type"] == "tensor"
        return [[bare(key) if tensors else key, bare(each)] for key, each in members]
    if isinstance(members, dict):
        return {key: bare(each) for key, each in members.items()}
    return members

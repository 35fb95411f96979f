"""Values of every type, in and out, on both servers."""

import json
import math

import numpy as np
import pytest
import torch

from tests.support.client import Client, scalar, string, tensor
from tests.support.servables import mlp

X = tensor([2, 2], [1, 2.5, -3, 0.125])


def test_mlp(client: Client):
    x = torch.linspace(-1, 1, 32).reshape(2, 16)
    with torch.inference_mode():
        expected = mlp()(x)
    response = client.post("mlp.pt", [tensor([2, 16], x.flatten().tolist())])
    assert response.headers["content-type"] == "application/json"
    assert response.result["shape"] == [2, 4]
    values = np.array(response.result["value"], "float32").reshape(2, 4)
    np.testing.assert_allclose(values, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("identifier", "body", "result"),
    [
        ("echo.pt", [X], X),
        ("echo.pt", X, X),
        ("echo.pt", [tensor([], [2])], tensor([], [2])),
        ("echo.pt", [tensor([0, 3], [])], tensor([0, 3], [])),
        ("echo.pt", [{"type": "tensor", "value": [[1], [2]]}], tensor([2, 1], [1, 2])),
        ("echo.pt", [{"type": "tensor", "shape": [1], "value": [1]}], tensor([1], [1])),
        ("deep/er/a b,é&+.pt", [X], X),
        ("./deep/../echo.pt", [X], X),
        ("inside.pt", [X], X),
        ("two.pt", [X, X], tensor([2, 2], [0, 0, 0, 0])),
        ("default.pt", [X], tensor([2, 2], [2, 5, -6, 0.25])),
        ("default.pt", X, None),
        ("default.pt", [X, scalar(-1, "int")], tensor([2, 2], [-1, -2.5, 3, -0.125])),
        ("int.pt", [scalar(-7, "int")], scalar(-7, "int64")),
        ("int.pt", scalar(2**63 - 1, "int"), scalar(2**63 - 1, "int64")),
        ("int.pt", scalar(-(2**63), "int64"), scalar(-(2**63), "int64")),
        ("int.pt", scalar(200, "uint8"), scalar(200, "int64")),
        ("int.pt", {"type": "scalar", "value": 5}, scalar(5, "int64")),
        ("float.pt", [scalar(0.1, "float")], scalar(0.1, "float64")),
        ("float.pt", scalar(3, "int"), scalar(3.0, "float64")),
        ("float.pt", scalar("-Infinity", "float64"), scalar("-Infinity", "float64")),
        ("float.pt", scalar("NaN", "float"), scalar("NaN", "float64")),
        ("bool.pt", [scalar(True, "bool")], scalar(True, "bool")),
        ("bool.pt", scalar(0, "bool"), scalar(False, "bool")),
        ("str.pt", [string('é"\\\n\0\U0001f600')], string('é"\\\n\0\U0001f600')),
        ("str.pt", string(""), string("")),
        ("list.pt", [[X, X]], [X, X]),
        ("list.pt", [X, X], [X, X]),
        ("list.pt", [X], [X]),
        ("list.pt", [], []),
        ("list.pt", [[]], []),
        ("list.pt", [{"type": "tensor_list", "value": [X]}], [X]),
        ("list.pt", {"type": "tensor_list", "value": [X, X]}, [X, X]),
        ("ints.pt", [[scalar(1, "int")]], [scalar(1, "int64")]),
        ("lists.pt", [[[scalar(1, "int")]]], [[scalar(1, "int64")]]),
        ("lists.pt", [[scalar(1, "int")]], [[scalar(1, "int64")]]),
        ("tuple.pt", [[X, scalar(1, "int")]], [X, scalar(1, "int64")]),
        ("tuple.pt", [X, scalar(1, "int")], [X, scalar(1, "int64")]),
        ("pair.pt", [scalar(1, "int"), string("a")], [string("a"), scalar(1, "int64")]),
        (
            "dict.pt",
            [{"type": "generic_dict", "value": {"é/~": scalar(1, "int"), "": scalar(2, "int")}}],
            {"type": "generic_dict", "value": {"é/~": scalar(1, "int64"), "": scalar(2, "int64")}},
        ),
        (
            "tensors.pt",
            {"type": "tensor_dict", "value": {"a": X}},
            {"type": "generic_dict", "value": {"a": X}},
        ),
        (
            "tensors.pt",
            [{"type": "generic_dict", "value": {}}],
            {"type": "generic_dict", "value": {}},
        ),
        (
            "mixed.pt",
            [[X, X], X, {"type": "tensor_dict", "value": {"t": X}}, scalar(4, "int"), string("k")],
            [
                {
                    "type": "generic_dict",
                    "value": {
                        "k": [
                            [tensor([2, 2], [2, 5, -6, 0.25]), X],
                            string("k!"),
                            scalar(5, "int64"),
                        ]
                    },
                },
                string("k"),
            ],
        ),
        ("nothing.pt", [X], {"type": "none"}),
        ("transposed.pt", [X], tensor([2, 2], [1, -3, 2.5, 0.125])),
        ("expanded.pt", [tensor([2, 1], [1, 2])], tensor([2, 3], [1, 1, 1, 2, 2, 2])),
        ("strided.pt", [tensor([5], [1, 2, 3, 4, 5])], tensor([3], [1, 3, 5])),
        ("sum.pt", [X], tensor([], [0.625])),
        ("empty.pt", [X], tensor([0, 2], [])),
        ("gradient.pt", [X], X),
        ("parameter.pt", [X], tensor([2], [1.5, -2.0])),
        ("modes.pt", [X], [scalar(False, "bool"), scalar(False, "bool")]),
    ],
)
def test_values(client: Client, identifier: str, body: object, result: object):
    response = client.post(identifier, body)
    if result is None:  # bare stands for one argument only
        assert response.document["description"] == "Invalid Input JSON"
    else:
        assert response.result == result


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        ("bool", [True, False]),
        ("uint8", [0, 255]),
        ("int8", [-128, 127]),
        ("int16", [-(2**15), 2**15 - 1]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("int64", [-(2**63), 2**63 - 1, 2**53 + 1]),
        ("float16", [65504.0, 6e-8, 0.1, -2.0]),
        ("float32", [3.4028235e38, 1e-45, 0.1, 21.711061, 16777216.0]),
        ("float64", [1.7976931348623157e308, 5e-324, 0.1, 2**53 + 2.0]),
    ],
)
def test_every_bit_of_every_data_type_comes_back(client: Client, data_type: str, value: list):
    result = client.post("echo.pt", [tensor([len(value)], value, data_type)]).result
    assert (result["data_type"], result["shape"]) == (data_type, [len(value)])
    dtype = np.dtype(data_type)
    assert np.array(result["value"], dtype).tobytes() == np.array(value, dtype).tobytes()


def test_finite_floats_have_the_fewest_digits(client: Client):
    response = client.post("echo.pt", b'[{"type":"tensor","value":[21.711061477661133,0.1]}]')
    assert response.result["value"] == [21.711061, 0.1]


def test_zero_keeps_its_sign(client: Client):
    value = client.post("echo.pt", [tensor([2], [-0.0, 0.0])]).result["value"]
    assert [math.copysign(1, number) for number in value] == [-1, 1]


@pytest.mark.parametrize("data_type", ["float16", "float32", "float64"])
def test_numbers_that_are_not_finite_are_strings(client: Client, data_type: str):
    x = tensor([3], ["NaN", "Infinity", "-Infinity"], data_type)
    assert client.post("echo.pt", [x]).result == x


def test_data_types_that_are_left_out_are_float32(client: Client):
    response = client.post("echo.pt", [{"type": "tensor", "shape": [2], "value": [1, 2]}])
    assert response.result == tensor([2], [1, 2], "float32")


def test_a_large_tensor(client: Client):
    value = [number / 4 for number in range(100_000)]
    body = json.dumps([tensor([1000, 100], value)]).encode()
    assert client.post("echo.pt", body).result["value"] == value


def test_device_and_invalidation(client: Client):
    for parameters in [{"device": "cpu"}, {"device": "cpu:0"}, {"invalidation_probability": 1}]:
        assert client.post("echo.pt", [X], **parameters).result == X

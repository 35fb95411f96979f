"""Results as safetensors that keep their nesting."""

import json
from typing import Any

import pytest
import safetensors.numpy

from tests.support.binary_bodies import JSON, Ask
from tests.support.client import tensor
from torch_serving.codecs.media_types import NESTED

X = tensor([2], [1.5, -2.0])
TENSOR = {"type": "tensor", "name": "0"}


@pytest.mark.parametrize(
    ("model", "arguments", "expected"),
    [
        ("echo.pt", [X], TENSOR),
        ("list.pt", [[X]], [TENSOR]),
        ("list.pt", [[]], []),
        ("tensors.pt", [{"output_0": X}], {"type": "generic_dict", "value": {"output_0": TENSOR}}),
        ("tuple.pt", [[X, 3]], [TENSOR, {"type": "scalar", "data_type": "int64", "value": 3}]),
        ("nothing.pt", [X], {"type": "none"}),
        ("int.pt", [2**53 + 1], {"type": "scalar", "data_type": "int64", "value": 2**53 + 1}),
        ("str.pt", ['"ü\n'], {"type": "string", "value": '"ü\n'}),
    ],
)
def test_nesting(ask: Ask, model: str, arguments: list[Any], expected: Any):
    body = json.dumps(arguments).encode()
    response = ask(model, body, wanted=f"{NESTED}, {JSON};q=0.5")
    assert (response.status, response.type) == (200, NESTED)
    found = safetensors.numpy.load(response.body)  # the library reads it as well
    length = int.from_bytes(response.body[:8], "little")
    header = json.loads(response.body[8 : 8 + length])
    assert json.loads(header["__metadata__"]["result"]) == expected
    assert all(array.tolist() == X["value"] for array in found.values())
    assert list(found) == (["0"] if str(TENSOR) in str(expected) else [])


def test_what_safetensors_lacks_is_json(ask: Ask):
    given = tensor([1], [1.0, 2.0], "complex128")
    response = ask("echo.pt", json.dumps([given]).encode(), wanted=NESTED)
    assert (response.type, response.document["result"]) == (JSON, given)
    for model in ("sparse.pt", "quantized.pt"):
        response = ask(model, json.dumps([X]).encode(), wanted=NESTED)
        assert (response.status, response.document["description"]) == (500, "Unsupported result")

"""Results that have no JSON form: which error, and where in the result."""

import numpy as np
import pytest

from tests.support.encoding import Pair, encode, parse
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.errors import UnsupportedResult


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_strings_that_are_not_unicode_are_refused_with_their_location(text):
    for value, location in [
        (text, "result"),
        ([1, [text]], "result[1][0]"),
        ({"k": text}, "result['k']"),
        ({"k": {text: 1}}, "result['k']"),
    ]:
        with pytest.raises(UnsupportedResult) as caught:
            encode(value)
        assert caught.value.detail == f"{location}: a string is not valid Unicode"


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (2**63, "result: an integer does not fit 64 bits"),
        ([1, (2, -(2**63) - 1)], "result[1][1]: an integer does not fit 64 bits"),
        ({"k": 10**100}, "result['k']: an integer does not fit 64 bits"),
        ({2**63: 1}, "result: an integer does not fit 64 bits"),
        (object, "result: a value of type type has no JSON form"),
        (object(), "result: a value of type object has no JSON form"),
        (b"bytes", "result: a value of type bytes has no JSON form"),
        ([{1, 2}], "result[0]: a value of type set has no JSON form"),
        (({"a": [0, b""]},), "result[0]['a'][1]: a value of type bytes has no JSON form"),
        ({b"k": 2}, "result: a key of type bytes has no JSON form"),
        ({3: [0, b""]}, "result[3][1]: a value of type bytes has no JSON form"),
        (Pair(1, b""), "result['right']: a value of type bytes has no JSON form"),
        ({"a": {None: 1}}, "result['a']: a key of type NoneType has no JSON form"),
        ({("a",): 1}, "result: a key of type tuple has no JSON form"),
        ({"k": [np.array(["a"])]}, "result['k'][0]: a tensor of <U1 has no JSON form"),
        ((0, np.array(["a"])), "result[1]: a tensor of <U1 has no JSON form"),
        ((0, np.array([None])), "result[1]: a tensor of object has no JSON form"),
    ],
)
def test_what_has_no_form_is_refused_with_its_location(value, detail):
    with pytest.raises(UnsupportedResult) as caught:
        encode(value)
    assert caught.value.detail == detail
    assert parse(encode([1])) == [{"type": "scalar", "data_type": "int64", "value": 1}]


def test_what_to_array_refuses_gets_its_location():
    def refuse(tensor):
        raise UnsupportedResult("a sparse tensor has no JSON form")

    with pytest.raises(UnsupportedResult) as caught:
        Encoder(np.ndarray, refuse).encode({"a": (1, np.array(1))})
    assert caught.value.detail == "result['a'][1]: a sparse tensor has no JSON form"


@pytest.mark.parametrize(
    ("to_array", "error"),
    [
        (lambda tensor: tensor[::2], ValueError),
        (lambda tensor: tensor.tolist(), TypeError),
        (lambda tensor: 1 / 0, ZeroDivisionError),
    ],
)
def test_mistakes_of_to_array_are_not_hidden(to_array, error):
    with pytest.raises(error):
        Encoder(np.ndarray, to_array).encode(np.arange(9))


def test_locations_stay_short():
    with pytest.raises(UnsupportedResult) as caught:
        encode({"k" * 10_000: b""})
    assert len(caught.value.detail) < 200


def test_results_without_end_are_refused():
    value: list = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnsupportedResult, match="nested deeper than 256 levels"):
        encode(value)
    while value:  # a list this deep can't be freed at once either
        value = value.pop()

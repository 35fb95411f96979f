"""JSON that is read value by value, as protocols without a schema do."""

import gc
import math
import sys
from typing import Any

import numpy as np
import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, Value, read_json
from torch_serving.codecs.json._encoder import encode_numbers
from torch_serving.errors import (
    EmptyBody,
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
    InvalidJson,
    ServingError,
)

DOCUMENT = b'{"a": [1, "b", [2], {"c": null}, true], "\\u00e9": {"x": -7}, "s": "\\n"}'


def test_a_walk_through_a_document():
    members = read_json(DOCUMENT).members()
    assert list(members) == ["a", "é", "s"]
    elements = members["a"].elements()
    assert [element.kind for element in elements] == [
        "number",
        "string",
        "array",
        "object",
        "boolean",
    ]
    assert members["a"].count == 5
    assert elements[0].integer() == 1
    assert elements[1].string() == "b"
    assert elements[3].members()["c"].kind == "null"
    assert elements[4].boolean() is True
    assert members["é"].members()["x"].integer() == -7
    assert members["s"].string() == "\n"


def test_elements_of_a_run():
    elements = read_json(b'[1, "a", false]').elements()
    assert [element.kind for element in elements] == ["number", "string", "boolean"]
    assert (elements[0].integer(), elements[1].string(), elements[2].boolean()) == (1, "a", False)
    assert elements[0].numbers("float32").tolist() == 1.0


@pytest.mark.parametrize(
    ("text", "data_type", "expected"),
    [
        ("[1, 2]", "int8", [1, 2]),
        ("[[1], [2]]", "float64", [[1.0], [2.0]]),
        ("3", "uint64", 3),
        ("[]", "float32", []),
        ("[NaN, -Infinity, Infinity, 1e3]", "float64", [math.nan, -math.inf, math.inf, 1000]),
        ("[true, 0, 1, false]", "bool", [True, False, True, False]),
        ("[ NaN ]", "float16", [math.nan]),
    ],
)
def test_numbers_of_a_type_that_is_known_late(text: str, data_type: str, expected: Any):
    array = read_json(text.encode()).numbers(data_type)
    assert array.dtype == data_type
    assert np.array_equal(array, np.array(expected, data_type), equal_nan=data_type[0] == "f")
    assert array.flags.owndata


@pytest.mark.parametrize(
    ("text", "shape"),
    [("[]", ()), ("[2, 3]", (2, 3)), ("[0, 7]", (0, 7)), (f"[{2**58}]", (2**58,))],
)
def test_shapes(text: str, shape: tuple[int, ...]):
    assert read_json(text.encode()).shape() == shape


@pytest.mark.parametrize(
    ("text", "method", "error", "problem"),
    [
        ("1", "members", InvalidInput, "the body: expected an object, got the number 1"),
        ("{}", "elements", InvalidInput, "expected an array, got an object"),
        ("[]", "string", InvalidInput, "expected a string, got an array of 0 elements"),
        ("1", "boolean", InvalidInput, "expected true or false"),
        ('"1"', "integer", InvalidInput, "expected an integer"),
        ("1.5", "integer", IncompatibleDtype, "1.5 does not fit int64"),
        ("1e2", "integer", IncompatibleDtype, "does not fit int64"),
        ("9223372036854775808", "integer", IncompatibleDtype, "does not fit int64"),
        ("NaN", "integer", IncompatibleDtype, "NaN does not fit int64"),
        ("[-1]", "shape", IncompatibleShape, "/0: expected a non-negative integer"),
        ("[1.5]", "shape", IncompatibleShape, "non-negative integer"),
        ("[[1]]", "shape", InvalidInput, "array of non-negative integers"),
        (f"[{2**40}, {2**40}]", "shape", IncompatibleShape, "overflows"),
        (f"[0, {2**40}, {2**40}]", "shape", IncompatibleShape, "overflows"),
        (str([1] * 33), "shape", IncompatibleShape, "more than 32 dimensions"),
    ],
)
def test_what_is_not_what_was_asked_for(
    text: str, method: str, error: type[ServingError], problem: str
):
    value = read_json(text.encode())
    with pytest.raises(error, match=problem):
        getattr(value, method)()


def test_objects_of_too_many_members():
    text = "{" + ",".join(f'"{i}":1' for i in range(1025)) + "}"
    value = read_json(text.encode())
    assert value.count == 1025
    with pytest.raises(InvalidInput, match="1025 members; the limit is 1024"):
        value.members()


def test_keys_that_stand_twice():
    with pytest.raises(InvalidJson, match="twice"):
        read_json(b'{"a":1,"a":2}').members()


@pytest.mark.parametrize("text", ["", " ", "[", "nan", "[1,]", "[Nan]", "[-Inf]", "[Infinity1]"])
def test_what_is_no_json(text: str):
    with pytest.raises((InvalidJson, EmptyBody)):
        read_json(text.encode()).validate()


@pytest.mark.parametrize("text", ["[01]", "[-]", "[1, -Infinityx]", "[1, --Infinity]", "[1, 2.]"])
def test_numbers_that_nobody_reads_are_checked_at_the_end(text: str):
    value = read_json(text.encode())
    with pytest.raises(InvalidJson, match="not a JSON number"):
        value.validate()
    with pytest.raises(InvalidJson, match="not a JSON number"):
        value.numbers("float64")


def test_words_that_are_no_numbers_stay_forbidden_where_there_is_a_schema():
    decoder = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)
    for word in ("NaN", "Infinity", "-Infinity"):
        for text in (f'[{{"type":"tensor","value":[1, {word}]}}]', f'{{"x": [[{word}]]}}'):
            with pytest.raises(InvalidJson):
                decoder.decode(text.encode())


def test_a_value_keeps_its_text_and_no_longer():
    body = bytearray(b'{"a": [1, 2, 3]}')
    value: Value | None = read_json(body).members()["a"]
    with pytest.raises(BufferError):
        body.clear()  # somebody reads it
    assert value is not None
    assert value.numbers("int8").tolist() == [1, 2, 3]
    references = sys.getrefcount(body)
    value = None
    gc.collect()
    assert sys.getrefcount(body) == references - 1
    body.clear()


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array([[1, 2], [3, 4]], "int8"), b"[1,2,3,4]"),
        (np.array([1.5, np.nan, -np.inf], "float32"), b'[1.5,"NaN","-Infinity"]'),
        (np.array(True), b"[true]"),
        (np.empty((0, 3)), b"[]"),
        (np.arange(10_000, dtype="uint16"), str(list(range(10_000))).replace(" ", "").encode()),
    ],
)
def test_numbers_as_text(array: np.ndarray, text: bytes):
    assert encode_numbers(array) == text


def test_what_is_no_array_of_numbers():
    with pytest.raises(KeyError):
        encode_numbers(np.array(["a"], object))
    with pytest.raises(ValueError, match="C-contiguous"):
        encode_numbers(np.ones((2, 3)).T)

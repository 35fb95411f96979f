"""Long bodies are indexed window by window: nothing that anybody can see depends on the windows."""

import json

import numpy as np
import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, read_json
from torch_serving.errors import ServingError

TENSOR = TypeSpec("tensor", "Tensor")
STRING = TypeSpec("str", "str")
TENSORS = TypeSpec("dict", "Dict[str, Tensor]", STRING, TENSOR)
STRINGS = TypeSpec("list", "List[str]", STRING)
SPECS = [
    TENSOR,
    STRING,
    TENSORS,
    STRINGS,
    TypeSpec("any", "Any"),
    TypeSpec("list", "List[Any]", TENSORS),
]


def result(spec, body, window_bytes):
    decoder = Decoder([Argument("x", spec)], lambda array: array.tolist(), window_bytes)
    try:
        return repr(decoder.decode(body))  # NaN is not equal to itself
    except ServingError as error:
        return f"{type(error).__name__}: {error.detail}"


def same_in_windows(body, sizes=range(1, 80)):
    for spec in SPECS:
        whole = result(spec, body, len(body) + 1)
        for window_bytes in sizes:
            assert result(spec, body, window_bytes) == whole, window_bytes


NUMBERS = b",".join(b"%.3f" % (number / 8) for number in range(-20, 20))


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"tensor","value":[%b]}' % NUMBERS,
        b'{ "value" : [ %b ] , "type" : "tensor" }' % NUMBERS.replace(b",", b" , "),
        b'{"type":"tensor","value":[[%b],[%b]],"data_type":"float64"}' % (NUMBERS, NUMBERS),
        b'{"type":"tensor","value":[[[1],[2]],[[3],[4]],[[5],[6]]],"shape":[3,2,1]}',
        b'{"type":"tensor","value":[[],[],[],[],[],[],[],[],[],[],[],[],[]]}',
        b'{"type":"tensor","value":[[1],2,[3]]}',
        b'{"type":"tensor","value":["NaN","Infinity",1,"-Infinity"]}',
        b'{"value":[1,2,3],"type":"tensor","more":{"a":[1,{"b":[]}],"c":",,,"}}',
        b'{"name":{"a":[1,{"b":[]}],"c":",,,"},"type":"named_tuple","value":{"n":[1,2,3]}}',
        b'{"x":{"a":[1,2],"b":{"type":"tensor","value":[[3]]},"c":[%b]}}' % NUMBERS,
        b'{"x":["one","two, three","\\"four\\",\\\\","","\\u00e9\\n","%b"]}' % (b"long, " * 30),
        b'{"x":["%b","%b"]}' % (b"\\\\" * 40, b'\\"' * 40),
        b'{"type":"string","value":"%b"}' % ("ä,€,𝄞," * 12).encode(),
        b'[{"type":"generic_dict","value":{"k":[{"type":"scalar","data_type":"int","value":5}]}}]',
        b"[%b]" % (b"1" * 300),
        b"[%b1]" % (b" " * 300),
    ],
)
def test_values(body):
    same_in_windows(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"tensor","value":[1,2,3,4,5,x,6]}',
        b'{"type":"tensor","value":[1,2,3,4,5,06,7]}',
        b'{"type":"tensor","value":[1,2,3,4,5 6,7]}',
        b'{"type":"tensor","value":[1,2,3,4],"ignored":[1,2,1x,3]}',
        b'{"type":"tensor","value":[1,2,3,4],"value":[1,2,3,4]}',
        b'{"type":"tensor","value":[1,2,,3,4]}',
        b'{"type":"tensor","value":[1,2,3,4]}]',
        b'{"type":"tensor","value":[1,2,3,4',
        b'{"type":"tensor","value":[1,2,3,4],',
        b'{"type":"tensor","value" [1,2,3,4]}',
        b'{"type":"tensor",value:[1,2,3,4]}',
        b'[1,2,3,nul,"abc\\',
        b'[1,2,3,nul,"abc, def',
        b'[1,2,3,nul,"abc, def","g\nh","i',
        b'[1,2,3,nul,"abc, def","g\nh","i"]',
        b'[1,2,3,nul,"abc, def\xff,",1,2,3]',
        b'[1,2,3,nul,"abc, def\xc3","\xa4,",1,2,3]',
        b'[1,2,3,\\"4,5,6,7,"8,9",10]',
        b'["a\\x,","b","c"]',
        b'["a","b""c","d"]',
        b"[1 2 3 4 5 6 7 8 9 10 11 12]",
        b"[" * 70 + b"1," * 10,
        b"[1," * 70 + b'"',
        b" " * 100,
        b" " * 100 + b"\xff",
        b"\0" * 20,
    ],
)
def test_errors(body):
    same_in_windows(body)


@pytest.mark.parametrize("length", range(40, 75))
def test_what_is_wrong_at_each_side_of_a_cut(length):
    good = b'["%b",["a,b",1.5],{"key":null}]' % (b"x" * length)
    for at in range(length, len(good)):
        for change in (b"", b'"', b"\\", b",", b" ", b"\xff", b"\n", b"0"):
            same_in_windows(good[:at] + change + good[at + 1 :], [64])
        same_in_windows(good[:at], [64])


def test_words_for_what_is_not_finite():
    body = b'{"x":[NaN,1,-Infinity,Infinity,2],"y":"z","shape":[5],"bad":[-Inf]}'
    for window_bytes in range(1, len(body) + 2):
        value = read_json(body[:-14] + b"}", window_bytes)
        members = value.members()
        numbers = members["x"].numbers("float32")
        assert numbers.tolist()[1:] == [1, -np.inf, np.inf, 2]
        assert np.isnan(numbers[0])
        assert members["shape"].shape() == (5,)  # out of the order of the text
        assert [element.kind for element in members["x"].elements()] == ["number"] * 5
        assert members["y"].string() == "z"
        with pytest.raises(ServingError, match="byte 61: not a JSON number"):
            read_json(body, window_bytes).validate()


@pytest.mark.parametrize("around", ["%s", '{"type":"tensor","value":%s}'])
def test_bodies_of_many_windows(around):
    """With windows as they are, of a mebibyte."""
    matrix = np.random.default_rng(7).normal(size=(300, 1000))
    body = (around % json.dumps(matrix.tolist())).encode()
    decoder = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)
    if around == "%s":
        body = b'{"x":%b}' % body
    assert len(body) > 5_000_000
    [array] = decoder.decode(body)
    assert np.array_equal(array, matrix.astype(np.float32))
    assert result(TENSOR, body[:-1] + b'"', 0) == result(TENSOR, body[:-1] + b'"', len(body))

import numpy as np
import pytest

from tests.support.encoding import ENCODER, Pair, encode, parse, to_array
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.errors import UnsupportedResult

STR = TypeSpec("str", "str")
INT_KEYS = TypeSpec("dict", "Dict[int, str]", TypeSpec("int", "int"), STR)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, '{"type":"scalar","data_type":"bool","value":true}'),
        (False, '{"type":"scalar","data_type":"bool","value":false}'),
        (0, '{"type":"scalar","data_type":"int64","value":0}'),
        (-7, '{"type":"scalar","data_type":"int64","value":-7}'),
        (2**63 - 1, '{"type":"scalar","data_type":"int64","value":9223372036854775807}'),
        (-(2**63), '{"type":"scalar","data_type":"int64","value":-9223372036854775808}'),
        (0.5, '{"type":"scalar","data_type":"float64","value":0.5}'),
        (1.0, '{"type":"scalar","data_type":"float64","value":1.0}'),
        (-0.0, '{"type":"scalar","data_type":"float64","value":-0.0}'),
        (0.1, '{"type":"scalar","data_type":"float64","value":0.1}'),
        (float("nan"), '{"type":"scalar","data_type":"float64","value":"NaN"}'),
        (float("inf"), '{"type":"scalar","data_type":"float64","value":"Infinity"}'),
        (float("-inf"), '{"type":"scalar","data_type":"float64","value":"-Infinity"}'),
        ("", '{"type":"string","value":""}'),
        ("word", '{"type":"string","value":"word"}'),
        (None, '{"type":"none"}'),
        ([], "[]"),
        ((), "[]"),
        ([1, "a"], f"[{encode(1)},{encode('a')}]"),
        ((None, [True], ()), f"[{encode(None)},[{encode(True)}],[]]"),
        ({}, '{"type":"generic_dict","value":{}}'),
        ({"b": 1, "a": []}, f'{{"type":"generic_dict","value":{{"b":{encode(1)},"a":[]}}}}'),
        ({"": {"": None}}, f'{{"type":"generic_dict","value":{{"":{encode({"": None})}}}}}'),
        (1j, '{"type":"scalar","data_type":"complex128","value":[0.0,1.0]}'),
        (-0.0 - 2.5j, '{"type":"scalar","data_type":"complex128","value":[-0.0,-2.5]}'),
        (
            complex("nan-infj"),
            '{"type":"scalar","data_type":"complex128","value":["NaN","-Infinity"]}',
        ),
        (
            {2**63 - 1: 1, -7: "a"},
            '{"type":"generic_dict","key_type":"int","value":'
            f"[[9223372036854775807,{encode(1)}],[-7,{encode('a')}]]}}",
        ),
        (
            {True: None, False: []},
            '{"type":"generic_dict","key_type":"bool","value":'
            f"[[true,{encode(None)}],[false,[]]]}}",
        ),
        (
            {0.1: 1, float("-inf"): 2},
            '{"type":"generic_dict","key_type":"float","value":'
            f'[[0.1,{encode(1)}],["-Infinity",{encode(2)}]]}}',
        ),
        (
            {1 - 2j: {3: 4}},
            '{"type":"generic_dict","key_type":"complex","value":'
            f"[[[1.0,-2.0],{encode({3: 4})}]]}}",
        ),
        (
            Pair(1, [Pair("b", None)]),
            '{"type":"named_tuple","name":"Pair","value":'
            f'{{"left":{encode(1)},"right":[{encode(Pair("b", None))}]}}}}',
        ),
    ],
)
def test_values(value, expected):
    assert encode(value) == expected
    assert encode([value, value]) == f"[{expected},{expected}]"


class Key(np.ndarray):
    """As a tensor, it is compared by identity."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other


def test_tensors_as_keys():
    first, second = (np.array([number], np.int8).view(Key) for number in (1, 1))
    assert encode({first: 1, second: "a"}) == (
        '{"type":"generic_dict","key_type":"tensor","value":'
        f"[[{encode(first)},{encode(1)}],[{encode(second)},{encode('a')}]]}}"
    )


@pytest.mark.parametrize(
    ("spec", "value", "key_type"),
    [
        (INT_KEYS, {}, "int"),
        (TypeSpec("optional", "Optional", INT_KEYS), {}, "int"),
        (TypeSpec("list", "List", INT_KEYS), [{1: 2}, {}], "int"),
        (TypeSpec("dict", "Dict", STR, INT_KEYS), {"k": {}}, "int"),
        (TypeSpec("tuple", "Tuple", STR, INT_KEYS), ("a", {}), "int"),
        (TypeSpec("tuple", "Pair", STR, INT_KEYS, names=Pair._fields), Pair("a", {}), "int"),
        (TypeSpec("dict", "Dict", STR, STR), {}, None),
    ],
)
def test_the_type_of_the_result_names_the_keys_of_empty_dictionaries(spec, value, key_type):
    written = Encoder(np.ndarray, to_array, spec=spec).encode(value).decode()
    empty = f'"key_type":"{key_type}","value":[]' if key_type else '"value":{}'
    assert f'{{"type":"generic_dict",{empty}}}' in written


def test_other_values_are_written_by_their_envelopes():
    def envelope_of(value):
        if isinstance(value, range):
            return {"type": "object", "name": 'a"b', "value": {"k": [value.stop, None]}}
        return None

    encoder = Encoder(np.ndarray, to_array, to_envelope=envelope_of)
    members = f'"k":[{encode(3)},{encode(None)}]'
    expected = f'{{"type":"object","name":"a\\"b","value":{{{members}}}}}'
    assert encoder.encode([range(3)]).decode() == f"[{expected}]"
    with pytest.raises(UnsupportedResult) as caught:
        encoder.encode({"a": [object()]})
    assert caught.value.detail == "result['a'][0]: a value of type object has no JSON form"


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (np.array([True, False]), '"shape":[2],"value":[true,false],"data_type":"bool"'),
        (np.array([0, 255], np.uint8), '"shape":[2],"value":[0,255],"data_type":"uint8"'),
        (np.array([-128, 127], np.int8), '"shape":[2],"value":[-128,127],"data_type":"int8"'),
        (
            np.array([-32768, 32767], np.int16),
            '"shape":[2],"value":[-32768,32767],"data_type":"int16"',
        ),
        (
            np.array([-(2**31), 2**31 - 1], np.int32),
            '"shape":[2],"value":[-2147483648,2147483647],"data_type":"int32"',
        ),
        (
            np.array([-(2**63), 2**63 - 1], np.int64),
            '"shape":[2],"value":[-9223372036854775808,9223372036854775807],"data_type":"int64"',
        ),
        (np.array([0, 2**16 - 1], np.uint16), '"shape":[2],"value":[0,65535],"data_type":"uint16"'),
        (
            np.array([0, 2**32 - 1], np.uint32),
            '"shape":[2],"value":[0,4294967295],"data_type":"uint32"',
        ),
        (
            np.array([0, 2**64 - 1], np.uint64),
            '"shape":[2],"value":[0,18446744073709551615],"data_type":"uint64"',
        ),
        (
            np.array([0x3F80, 0xC000, 0x8000, 0x7FC0, 0xFF80], np.uint16).view("V2"),
            '"shape":[5],"value":[1.0,-2.0,-0.0,"NaN","-Infinity"],"data_type":"bfloat16"',
        ),
        (
            np.array([[0.1 - 2j], [complex("nan+infj")]], np.complex64),
            '"shape":[2,1],"value":[0.1,-2.0,"NaN","Infinity"],"data_type":"complex64"',
        ),
        (
            np.array([1j, 1e-300 - 0.1j]),
            '"shape":[2],"value":[0.0,1.0,1e-300,-0.1],"data_type":"complex128"',
        ),
        (np.array(1j), '"shape":[],"value":[0.0,1.0],"data_type":"complex128"'),
        (
            np.array([0.1, -2, 65504], np.float16),
            '"shape":[3],"value":[0.1,-2.0,65500.0],"data_type":"float16"',
        ),
        (
            np.array([21.711061, -0.0, 1e30], np.float32),
            '"shape":[3],"value":[21.711061,-0.0,1e30],"data_type":"float32"',
        ),
        (
            np.array([0.1, 1e-300, -5e-324]),
            '"shape":[3],"value":[0.1,1e-300,-5e-324],"data_type":"float64"',
        ),
        (np.array(7, np.int8), '"shape":[],"value":[7],"data_type":"int8"'),
        (np.array([], np.int8), '"shape":[0],"value":[],"data_type":"int8"'),
        (np.empty((2, 0, 3), bool), '"shape":[2,0,3],"value":[],"data_type":"bool"'),
        (np.full((1,) * 32, 7), f'"shape":{[1] * 32},"value":[7],"data_type":"int64"'),
        (np.array([[1, 2], [3, 4]]).T, '"shape":[2,2],"value":[1,3,2,4],"data_type":"int64"'),
        (np.arange(6)[::-2], '"shape":[3],"value":[5,3,1],"data_type":"int64"'),
    ],
)
def test_tensors(tensor, expected):
    assert encode(tensor) == f'{{"type":"tensor",{expected.replace(", ", ",")}}}'


@pytest.mark.parametrize("data_type", ["float16", "float32", "float64"])
def test_numbers_that_are_not_finite_are_words(data_type):
    values = parse(encode(np.array([np.nan, -np.nan, np.inf, -np.inf], data_type)))["value"]
    assert values == ["NaN", "NaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize(
    "text",
    [
        *map(chr, range(0x20)),
        "\x7f\x80\x9f",
        '"',
        "\\",
        '\\"\\\\"',
        "/",
        "</script>",
        "\n\r\t\b\f\v\0",
        "é€😀",
        "\u2028\u2029\ufeff\ufffe\uffff",
        "\U0010ffff",
        "a" * 100_000,
        '"' * 100_000,
        "\0" * 100_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_strings(text):
    assert parse(encode(text)) == {"type": "string", "value": text}
    assert parse(encode({text: 1}))["value"] == {text: parse(encode(1))}


def test_strings_are_utf8():
    assert ENCODER.encode("é\n\x01") == b'{"type":"string","value":"\xc3\xa9\\n\\u0001"}'


def test_prefix_and_suffix():
    enveloping = Encoder(np.ndarray, to_array, b'{"result": ', b"}")
    assert enveloping.encode([]) == b'{"result": []}'
    assert enveloping.encode(None) == b'{"result": {"type":"none"}}'
    assert Encoder(np.ndarray, to_array, suffix=b"\n").encode(()) == b"[]\n"
    assert type(enveloping.encode([])) is bytes


@pytest.mark.parametrize(
    "data_type",
    [
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (5, 7), (2,) * 8, (4095,), (100, 99)])
def test_what_is_written_reads_back(data_type, shape):
    count = int(np.prod(shape))
    memory = np.random.default_rng(count).bytes(count * np.dtype(data_type).itemsize)
    if data_type == "bool":
        memory = bytes(byte & 1 for byte in memory)
    tensor = np.frombuffer(memory, data_type).reshape(shape)
    decoder = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)
    [back] = decoder.decode(ENCODER.encode(tensor))
    assert back.shape == shape
    assert back.dtype == tensor.dtype
    assert (np.isnan(back) == np.isnan(tensor)).all()
    assert back[~np.isnan(back)].tobytes() == tensor[~np.isnan(tensor)].tobytes()


@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 8191, 8192, 8193, 100_000])
def test_tensors_of_any_size_are_strict_json(count):
    tensor = np.linspace(-1e5, 1e5, count, dtype=np.float32)
    written = parse(encode(tensor))
    assert written["shape"] == [count]
    assert np.array(written["value"], np.float32).tobytes() == tensor.tobytes()

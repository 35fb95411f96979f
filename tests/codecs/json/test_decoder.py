import json

import numpy as np
import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import InvalidInput, InvalidJson

TENSOR = TypeSpec("tensor", "Tensor")
INT = TypeSpec("int", "int")
FLOAT = TypeSpec("float", "float")
BOOL = TypeSpec("bool", "bool")
STR = TypeSpec("str", "str")
TENSORS = TypeSpec("list", "List[Tensor]", TENSOR)
TABLE = TypeSpec("list", "List[List[Tensor]]", TENSORS)
LONE = TypeSpec("tuple", "Tuple[int]", INT)
INTS = TypeSpec("list", "List[int]", INT)
PAIR = TypeSpec("tuple", "Tuple[int, str]", INT, STR)
TENSOR_DICT = TypeSpec("dict", "Dict[str, Tensor]", TypeSpec("str", "str"), TENSOR)
INT_DICT = TypeSpec("dict", "Dict[str, int]", TypeSpec("str", "str"), INT)

ONE = '{"type": "tensor", "value": [1]}'
TWO = '{"type": "tensor", "value": [2]}'
THREE = '{"type": "scalar", "value": 3}'
WORD = '{"type": "string", "value": "word"}'


def decoder(*specs, required=None):
    required = len(specs) if required is None else required
    arguments = [Argument("abc"[i], spec, i < required) for i, spec in enumerate(specs)]
    return Decoder(arguments, lambda array: array)


def decode(body, *specs, required=None):
    return decoder(*specs, required=required).decode(body.encode())


def plain(value):
    """Arrays as lists, so that whole results can be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return type(value)(plain(element) for element in value)
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("spec", "body", "expected"),
    [
        (TENSOR, '{"type":"tensor","shape":[1,2],"value":[1,2]}', [[1.0, 2.0]]),
        (TENSOR, '{"value":[1,2],"shape":[2,1],"type":"tensor"}', [[1.0], [2.0]]),
        (TENSOR, '{"data_type":"int8","value":[[1],[2]],"type":"tensor"}', [[1], [2]]),
        (TENSOR, '\t{"t\\u0079pe" : "\\u0074ensor",\r\n"value" :[ 1 ] } ', [1.0]),
        (TENSOR, '{"type":"tensor","value":[true,0],"data_type":"bool"}', [True, False]),
        (TENSOR, '{"type":"tensor","value":["Infinity","-Infinity"]}', [np.inf, -np.inf]),
        (INT, '{"type":"scalar","data_type":"int","value":3}', 3),
        (INT, '{"value":-128,"data_type":"int8","type":"scalar"}', -128),
        (INT, '{"type":"scalar","value":3}', 3),
        (FLOAT, '{"type":"scalar","data_type":"float","value":0.1}', 0.1),
        (FLOAT, '{"type":"scalar","data_type":"float16","value":0.1}', float(np.float16(0.1))),
        (FLOAT, '{"type":"scalar","data_type":"float32","value":0.1}', float(np.float32(0.1))),
        (FLOAT, '{"type":"scalar","value":0.1}', 0.1),
        (FLOAT, '{"type":"scalar","value":3}', 3.0),
        (FLOAT, '{"type":"scalar","data_type":"int","value":3}', 3.0),
        (FLOAT, '{"type":"scalar","value":"-Infinity"}', -np.inf),
        (BOOL, '{"type":"scalar","data_type":"bool","value":true}', True),
        (BOOL, '{"type":"scalar","value":false}', False),
        (BOOL, '{"type":"scalar","value":1}', True),
        (STR, '{"type":"string","value":"a\\n\\u0000\\ud83d\\ude00é"}', "a\n\0😀é"),
        (STR, '{"type":"string","value":""}', ""),
        (TENSORS, f"[{ONE},{TWO}]", [[1.0], [2.0]]),
        (TENSORS, f'{{"type":"tensor_list","value":[{ONE},{TWO}]}}', [[1.0], [2.0]]),
        (TENSORS, '{"type":"tensor_list","value":[]}', []),
        (TABLE, f"[[{ONE}],[]]", [[[1.0]], []]),
        (INTS, f"[{THREE},{THREE}]", [3, 3]),
        (PAIR, f"[{THREE},{WORD}]", (3, "word")),
        (TENSOR_DICT, f'{{"type":"generic_dict","value":{{"k":{ONE}}}}}', {"k": [1.0]}),
        (TENSOR_DICT, f'{{"type":"tensor_dict","value":{{"k":{ONE}}}}}', {"k": [1.0]}),
        (
            INT_DICT,
            f'{{"value":{{"\\u006b":{THREE},"":{THREE}}},"type":"generic_dict"}}',
            {"k": 3, "": 3},
        ),
        (INT_DICT, '{"type":"generic_dict","value":{}}', {}),
    ],
)
def test_envelopes(spec, body, expected):
    assert plain(decode(body, spec)) == [expected]
    assert plain(decode(f"[{body}]", spec)) == [expected]
    assert plain(decode(f"[{body},{WORD}]", spec, STR)) == [expected, "word"]


def test_scalars_have_the_types_of_python():
    for spec, value, type_ in [(INT, "1", int), (FLOAT, "1", float), (BOOL, "1", bool)]:
        [scalar] = decode(f'{{"type":"scalar","value":{value}}}', spec)
        assert type(scalar) is type_


def test_keys_of_dicts_keep_their_order():
    [values] = decode(
        f'{{"type":"generic_dict","value":{{"z":{THREE},"a":{THREE},"é":{THREE}}}}}', INT_DICT
    )
    assert list(values) == ["z", "a", "é"]


@pytest.mark.parametrize(
    ("value", "shape", "expected"),
    [
        ("[1,2,3,4,5,6]", None, (6,)),
        ("[1,2,3,4,5,6]", "[2,3]", (2, 3)),
        ("[1,2,3,4,5,6]", "[1,6,1]", (1, 6, 1)),
        ("[[1,2,3],[4,5,6]]", None, (2, 3)),
        ("[[1,2,3],[4,5,6]]", "[2,3]", (2, 3)),
        ("[[[1]],[[2]]]", None, (2, 1, 1)),
        ("7", None, ()),
        ("7", "[]", ()),
        ("[7]", "[]", ()),
        ("[7]", "[1,1,1]", (1, 1, 1)),
        ("[]", None, (0,)),
        ("[]", "[0]", (0,)),
        ("[]", "[3,0,2]", (3, 0, 2)),
        ("[[],[]]", None, (2, 0)),
        ("[[],[]]", "[2,0]", (2, 0)),
        ("[[[],[]]]", None, (1, 2, 0)),
    ],
)
def test_shapes(value, shape, expected):
    declared = f',"shape":{shape}' if shape else ""
    [array] = decode(f'{{"type":"tensor","value":{value}{declared}}}', TENSOR)
    assert array.shape == expected
    assert array.ravel().tolist() == np.array(json.loads(value), float).ravel().tolist()


@pytest.mark.parametrize(
    "data_type",
    ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"],
)
@pytest.mark.parametrize("value", ["1", "[]", "[[1,0,1],[0,1,0]]"])
def test_arrays_are_ready_to_be_shared(data_type, value):
    [array] = decode(f'{{"type":"tensor","value":{value},"data_type":"{data_type}"}}', TENSOR)
    assert type(array) is np.ndarray
    assert array.dtype == np.dtype(data_type)
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.flags.aligned
    assert array.flags.owndata
    assert array.tolist() == np.array(json.loads(value), data_type).tolist()


def test_from_array_makes_the_tensors():
    arguments = [Argument("a", TENSORS), Argument("b", INT)]
    wrapping = Decoder(arguments, lambda array: ("tensor", array.tolist()))
    result = wrapping.decode(f"[[{ONE},{TWO}],{THREE}]".encode())
    assert result == [[("tensor", [1.0]), ("tensor", [2.0])], 3]


def test_what_from_array_raises_is_passed_on():
    def refuse(array):
        raise LookupError("no such device")

    with pytest.raises(LookupError, match="no such device"):
        Decoder([Argument("a", TENSOR)], refuse).decode(ONE.encode())


def test_from_array_may_decode_another_body():
    inner = decoder(TENSOR)
    outer = Decoder([Argument("a", TENSORS)], lambda _: inner.decode(TWO.encode())[0].tolist())
    assert outer.decode(f"[{ONE},{ONE}]".encode()) == [[[2.0], [2.0]]]


@pytest.mark.parametrize(
    ("specs", "required", "body", "expected"),
    [
        ([], 0, "[]", []),
        ([INT, STR], 2, f"[{THREE},{WORD}]", [3, "word"]),
        ([INT, STR], 1, f"[{THREE},{WORD}]", [3, "word"]),
        ([INT, STR], 1, f"[{THREE}]", [3]),
        ([INT, STR], 0, "[]", []),
        ([INT], 0, "[]", []),
        ([INT], 0, THREE, [3]),
        ([INTS], 0, "[]", []),
        ([INTS], 1, "[]", [[]]),
        ([INTS, INT], 1, "[[]]", [[]]),
    ],
)
def test_arguments_with_defaults_may_be_left_out(specs, required, body, expected):
    assert decode(body, *specs, required=required) == expected


@pytest.mark.parametrize(
    ("spec", "body", "expected"),
    [
        (TENSORS, f"[{ONE}]", [[1.0]]),
        (TENSORS, f"[[{ONE}]]", [[1.0]]),
        (TENSORS, f"[[{ONE},{TWO}]]", [[1.0], [2.0]]),
        (TENSORS, f'[{{"type":"tensor_list","value":[{ONE}]}}]', [[1.0]]),
        (TENSORS, "[]", []),
        (TENSORS, "[[]]", []),
        (TABLE, f"[[{ONE}]]", [[[1.0]]]),
        (TABLE, f"[[[{ONE}]]]", [[[1.0]]]),
        (TABLE, f"[[{ONE}],[{TWO}]]", [[[1.0]], [[2.0]]]),
        (TABLE, "[[]]", []),  # both readings fit: the outer array wins
        (TABLE, "[[[]]]", [[]]),
        (PAIR, f"[{THREE},{WORD}]", (3, "word")),
        (PAIR, f"[[{THREE},{WORD}]]", (3, "word")),
        (LONE, f"[{THREE}]", (3,)),
        (LONE, f"[[{THREE}]]", (3,)),
        (TypeSpec("tuple", "Tuple[Tuple[int]]", LONE), f"[[{THREE}]]", ((3,),)),
        (TypeSpec("tuple", "Tuple[()]"), "[]", ()),
        (TypeSpec("tuple", "Tuple[()]"), "[[]]", ()),
    ],
)
def test_the_outer_array_of_a_lone_sequence_is_optional(spec, body, expected):
    assert plain(decode(body, spec)) == [expected]


def test_from_array_sees_no_array_of_the_reading_that_does_not_fit():
    shapes = []
    Decoder([Argument("a", TENSORS)], lambda array: shapes.append(array.shape)).decode(
        f"[{ONE}]".encode()
    )
    assert shapes == [(1,)]


def test_bytes_like_bodies():
    body = f"[{ONE}]".encode()
    for view in (body, bytearray(body), memoryview(body), memoryview(bytearray(body))):
        assert plain(decoder(TENSOR).decode(view)) == [[1.0]]
    with pytest.raises(TypeError):
        decoder(TENSOR).decode("[]")
    with pytest.raises(TypeError):
        decoder(TENSOR).decode(None)


def test_bodies_are_released():
    body = bytearray(ONE.encode())
    decoder(TENSOR).decode(body)
    body.append(0x20)  # BufferError while somebody looks at it
    with pytest.raises(InvalidInput):
        decoder(INT).decode(body)
    body.append(0x5D)
    with pytest.raises(InvalidJson):
        decoder(TENSOR).decode(body)
    body.append(0x20)


def test_every_beginning_of_a_body_is_refused():
    body = f'[{ONE},{{"type":"string","value":"\\u00e9"}},true]'.encode()
    for size in range(1, len(body)):
        with pytest.raises(InvalidJson, match="byte"):
            decoder(TENSOR, STR).decode(body[:size])


@pytest.mark.parametrize(
    ("text", "size", "came"),
    [(b"123", 1, "the number 1"), (b"-12e5", 3, "the number -12"), (b'"a"b"', 3, 'the string "a"')],
)
def test_nothing_behind_the_last_byte_is_read(text, size, came):
    with pytest.raises(InvalidInput, match=rf"got {came}$"):
        decoder().decode(memoryview(text)[:size])


def test_specs_and_arguments_show_their_fields():
    assert (PAIR.kind, PAIR.type, PAIR.parts) == ("tuple", "Tuple[int, str]", (INT, STR))
    argument = Argument("n", INT, required=False)
    assert (argument.name, argument.spec, argument.required) == ("n", INT, False)
    assert Argument("n", INT).required
    with pytest.raises(KeyError):
        TypeSpec("set", "Set[int]")
    with pytest.raises(TypeError):
        TypeSpec("list", "List[int]", "int")
    with pytest.raises(TypeError):
        Decoder(["a"], lambda array: array)

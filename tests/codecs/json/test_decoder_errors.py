import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import (
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
)

TENSOR = TypeSpec("tensor", "Tensor")
INT = TypeSpec("int", "int")
FLOAT = TypeSpec("float", "float")
BOOL = TypeSpec("bool", "bool")
STR = TypeSpec("str", "str")
TENSORS = TypeSpec("list", "List[Tensor]", TENSOR)
TABLE = TypeSpec("list", "List[List[Tensor]]", TENSORS)
INTS = TypeSpec("list", "List[int]", INT)
PAIR = TypeSpec("tuple", "Tuple[int, str]", INT, STR)
TENSOR_DICT = TypeSpec("dict", "Dict[str, Tensor]", TypeSpec("str", "str"), TENSOR)
INT_DICT = TypeSpec("dict", "Dict[str, int]", TypeSpec("str", "str"), INT)
NESTED = TypeSpec("dict", "Dict[str, List[Tensor]]", TypeSpec("str", "str"), TENSORS)

ONE = '{"type":"tensor","value":[1]}'
THREE = '{"type":"scalar","value":3}'
HALF = '{"type":"scalar","value":0.5}'
WORD = '{"type":"string","value":"word"}'
RAGGED = '{"type":"tensor","value":[[1],[2,3]]}'
MIXED = '{"type":"tensor","value":[[1,2],[3,"4"]]}'


def refusal(body, error, *specs, required=None):
    """The detail of the error that a body is refused with."""
    required = len(specs) if required is None else required
    arguments = [Argument("abc"[i], spec, i < required) for i, spec in enumerate(specs)]
    with pytest.raises(error) as caught:
        Decoder(arguments, lambda array: array).decode(
            body if isinstance(body, bytes) else body.encode()
        )
    assert type(caught.value) is error
    return caught.value.detail


@pytest.mark.parametrize(
    ("members", "error", "start"),
    [
        ("", InvalidInput, "the body: the key `value` is missing"),
        (
            ',"value":[1],"data_type":"int"',
            IncompatibleDtype,
            "/data_type: expected one of bool, uint8",
        ),
        (',"value":[1],"data_type":"FLOAT32"', IncompatibleDtype, "/data_type: expected one of"),
        (',"value":[1],"data_type":32', IncompatibleDtype, "/data_type: expected one of"),
        (',"value":[1],"data_type":null', IncompatibleDtype, "/data_type: expected one of"),
        (',"value":[1,null]', IncompatibleDtype, "/value/1: expected a number that fits float32"),
        (',"value":[1,"1"]', IncompatibleDtype, "/value/1: expected a number that fits float32"),
        (',"value":["nan"]', IncompatibleDtype, "/value/0: expected a number that fits float32"),
        (',"value":[true]', IncompatibleDtype, "/value/0: expected a number that fits float32"),
        (',"value":"1"', IncompatibleDtype, "/value: expected a number that fits float32"),
        (',"value":[[1],[1e99]]', IncompatibleDtype, "/value/1/0: 1e99 does not fit float32"),
        (',"value":[1],"shape":1', InvalidInput, "/shape: expected an array of non-negative int"),
        (',"value":[1],"shape":[[1]]', InvalidInput, "/shape: expected an array of non-negative"),
        (',"value":[1],"shape":null', InvalidInput, "/shape: expected an array of non-negative"),
        (',"value":[1],"shape":[1,-1]', IncompatibleShape, "/shape/1: expected a non-negative int"),
        (',"value":[1],"shape":[2]', IncompatibleShape, "/shape: shape [2] holds 2 numbers, `valu"),
        (',"value":[[1,2],[3]]', IncompatibleShape, "/value/1: nested arrays differ in length"),
    ],
)
def test_tensors_that_do_not_fit(members, error, start):
    detail = refusal(f'{{"type":"tensor"{members}}}', error, TENSOR)
    assert detail.startswith(start)
    assert detail.endswith(" (argument `a`: Tensor)")


@pytest.mark.parametrize(
    ("spec", "members", "error", "start"),
    [
        (INT, "", InvalidInput, "the body: the key `value` is missing"),
        (INT, ',"value":[3]', InvalidInput, "/value: expected a single number, got an array of 1"),
        (INT, ',"value":{}', InvalidInput, "/value: expected a single number, got an object"),
        (INT, ',"value":0.5', IncompatibleDtype, "/value: 0.5 does not fit int64"),
        (INT, ',"value":"3"', IncompatibleDtype, "/value: expected a number that fits int64"),
        (INT, ',"value":true', IncompatibleDtype, "/value: expected a number that fits int64"),
        (INT, ',"value":1,"data_type":"x"', IncompatibleDtype, "/data_type: expected one of int,"),
        (INT, ',"value":1,"data_type":"float"', InvalidInput, "/data_type: expected one of int, "),
        (INT, ',"value":1,"data_type":"bool"', InvalidInput, "/data_type: expected one of int, "),
        (
            INT,
            ',"value":128,"data_type":"int8"',
            IncompatibleDtype,
            "/value: 128 does not fit int8",
        ),
        (FLOAT, ',"value":1,"data_type":"bool"', InvalidInput, "/data_type: expected one of float"),
        (FLOAT, ',"value":1e400', IncompatibleDtype, "/value: 1e400 does not fit float64"),
        (FLOAT, ',"value":"1"', IncompatibleDtype, "/value: expected a number that fits float64"),
        (BOOL, ',"value":1,"data_type":"int"', InvalidInput, "/data_type: expected one of bool"),
        (BOOL, ',"value":2', IncompatibleDtype, "/value: 2 does not fit bool"),
        (BOOL, ',"value":"true"', IncompatibleDtype, "/value: expected a number that fits bool"),
    ],
)
def test_scalars_that_do_not_fit(spec, members, error, start):
    detail = refusal(f'{{"type":"scalar"{members}}}', error, spec)
    assert detail.startswith(start)
    assert detail.endswith(f" (argument `a`: {spec.type})")


@pytest.mark.parametrize(
    ("spec", "body", "start"),
    [
        (TENSOR, '"tensor"', "the body: expected an envelope"),
        (TENSOR, "null", "the body: expected an envelope"),
        (TENSOR, "[null]", "/0: expected an envelope"),
        (
            TENSOR,
            '{"type":"scalar","value":1}',
            '/type: expected "tensor" or "image" for Tensor, got the',
        ),
        (
            TENSOR,
            '{"type":"Tensor","value":[1]}',
            '/type: expected "tensor" or "image" for Tensor, got the',
        ),
        (
            TENSOR,
            '{"type":null,"value":[1]}',
            '/type: expected "tensor" or "image" for Tensor, got null',
        ),
        (
            TENSOR,
            '{"type":{"a":1},"value":[1]}',
            '/type: expected "tensor" or "image" for Tensor, got an',
        ),
        (INT, WORD, '/type: expected "scalar" for int, got the string'),
        (STR, THREE, '/type: expected "string" for str, got the string'),
        (STR, '{"type":"string","value":3}', "/value: expected a string, got the number 3"),
        (STR, '{"type":"string","value":["a"]}', "/value: expected a string, got an array of 1"),
        (TENSORS, "3", "the body: expected an array"),
        (TENSORS, f"[{ONE},{THREE}]", '/1/type: expected "tensor"'),
        (TENSORS, f"[{ONE},null]", "/1: expected an envelope"),
        (TENSORS, "[null,1]", "/0: expected an envelope"),
        (TENSORS, ONE, '/type: expected "tensor_list" for List[Tensor], got'),
        (TENSORS, '{"type":"tensor_list"}', "the body: the key `value` is missing"),
        (TENSORS, '{"type":"tensor_list","value":3}', "/value: expected an array"),
        (INTS, f'{{"type":"tensor_list","value":[{THREE}]}}', "the body: expected an array"),
        (TABLE, f"[[{ONE}],{ONE}]", '/1/type: expected "tensor_list" for List[Tensor], got'),
        (PAIR, f"[{THREE},{WORD},{WORD}]", "the body: expected 2 elements, got 3"),
        (PAIR, f"[{WORD},{WORD}]", '/0/type: expected "scalar"'),
        (PAIR, f"[{THREE},{THREE}]", '/1/type: expected "string"'),
        (TENSOR_DICT, ONE, '/type: expected "generic_dict" or "tensor_dict" for Dict'),
        (TENSOR_DICT, '{"type":"tensor_dict","value":[]}', "/value: expected an object"),
        (
            INT_DICT,
            '{"type":"tensor_dict","value":{}}',
            '/type: expected "generic_dict" for Dict[str, int], got',
        ),
        (INT_DICT, '{"type":"generic_dict","value":null}', "/value: expected an object"),
        (INT_DICT, '{"type":"generic_dict"}', "the body: the key `value` is missing"),
        (INT_DICT, '{"type":"generic_dict","value":{"k":[3]}}', "/value/k: expected an envelope"),
    ],
)
def test_other_values_that_do_not_fit(spec, body, start):
    detail = refusal(body, InvalidInput, spec)
    assert detail.startswith(start)
    assert detail.endswith(f" (argument `a`: {spec.type})")


@pytest.mark.parametrize(
    ("members", "error", "start"),
    [
        (f'"a/b":[{ONE},{HALF}]', InvalidInput, '/1/value/a~1b/1/type: expected "tensor"'),
        (f'"~":[{ONE},{HALF}]', InvalidInput, '/1/value/~0/1/type: expected "tensor"'),
        (f'"~1/":[{ONE},null]', InvalidInput, "/1/value/~01~1/1: expected an envelope"),
        (f'"":[{ONE},{HALF}]', InvalidInput, '/1/value//1/type: expected "tensor"'),
        (f'"a":[],"\\u00e9\\"":[{HALF}]', InvalidInput, '/1/value/é"/0/type: expected "tensor"'),
        (f'"0":[{ONE},{RAGGED}]', IncompatibleShape, "/1/value/0/1/value/1: nested arrays"),
        (f'"x":[{ONE},{MIXED}]', IncompatibleDtype, "/1/value/x/1/value/1/1: expected a number"),
    ],
)
def test_locations_are_json_pointers(members, error, start):
    body = f'[{WORD},{{"type":"generic_dict","value":{{{members}}}}}]'
    detail = refusal(body, error, STR, NESTED)
    assert detail.startswith(start)
    assert detail.endswith(" (argument `b`: Dict[str, List[Tensor]])")


@pytest.mark.parametrize("count", [1, 2, 4095, 4096, 4097, 10_000])
@pytest.mark.parametrize("data_type", ["bool", "int8", "float16"])
def test_the_location_of_a_number_among_many(count, data_type):
    values = "1," * (count - 1) + "1e5"
    body = f'[{ONE},{{"type":"tensor","value":[{values},1],"data_type":"{data_type}"}}]'
    detail = refusal(body, IncompatibleDtype, TENSOR, TENSOR)
    assert detail.startswith(f"/1/value/{count - 1}: 1e5 does not fit {data_type} ")
    assert detail.endswith(" (argument `b`: Tensor)")


@pytest.mark.parametrize(
    ("specs", "required", "body", "expected"),
    [
        ([], 0, "[1]", "the body: expected 0 arguments (), got 1"),
        ([], 0, "3", "the body: expected an array of 0 arguments (), got the number 3"),
        ([INT], 1, "[]", "the body: expected 1 argument (a: int), got 0"),
        ([INT], 1, f"[{THREE},{THREE}]", "the body: expected 1 argument (a: int), got 2"),
        ([INT, STR], 2, f"[{THREE}]", "the body: expected 2 arguments (a: int, b: str), got 1"),
        ([INT, STR], 1, "[]", "the body: expected 1 to 2 arguments (a: int, b: str), got 0"),
        ([INT, STR], 0, "[1,2,3]", "the body: expected 0 to 2 arguments (a: int, b: str), got 3"),
        ([INT, STR], 1, THREE, "the body: expected an array of 1 to 2 arguments (a: int, b: str)"),
        ([INTS, INT], 2, f"[{THREE}]", "the body: expected 2 arguments (a: List[int], b: int)"),
    ],
)
def test_the_number_of_arguments(specs, required, body, expected):
    assert refusal(body, InvalidInput, *specs, required=required).startswith(expected)


@pytest.mark.parametrize(
    ("spec", "body", "error", "start"),
    [
        (TENSORS, f"[[{ONE},{THREE}]]", InvalidInput, '/0/1/type: expected "tensor"'),
        (TENSORS, f"[{THREE}]", InvalidInput, "/0/type: expected"),
        (TENSORS, '[[{"type":"tensor","value":[[1],2]}]]', IncompatibleShape, "/0/0/value/1: nest"),
        (TENSORS, '[{"type":"tensor","value":["x"]}]', IncompatibleDtype, "/0/value/0: expected a"),
        (INTS, f"[[{HALF}]]", IncompatibleDtype, "/0/0/value: 0.5 does not fit int64"),
        (INTS, f"[{HALF}]", IncompatibleDtype, "/0/value: 0.5 does not fit int64"),
        (PAIR, f"[[{THREE},{THREE}]]", InvalidInput, '/0/1/type: expected "string"'),
    ],
)
def test_of_two_readings_the_one_that_went_further_is_reported(spec, body, error, start):
    assert refusal(body, error, spec).startswith(start)


@pytest.mark.parametrize(
    ("specs", "body", "start"),
    [
        ([], '{"a":1}', "/a: unknown argument; expected 0 arguments ()"),
        ([INT], "{}", "the body: argument `a`: int is missing"),
        ([INT, STR], '{"a":1}', "the body: argument `b`: str is missing"),
        ([INT], '{"a":1,"A":1}', "/A: unknown argument; expected 1 argument (a: int)"),
        ([TENSOR], '{"value":[1]}', "/value: unknown argument; expected 1 argument (a: Tensor)"),
        ([STR], '{"a":3}', '/a: expected an envelope {"type": "string", ...} for str, got the'),
    ],
)
def test_arguments_by_name_that_do_not_fit(specs, body, start):
    assert refusal(body, InvalidInput, *specs).startswith(start)


def test_no_arguments_have_a_name_form_too():
    assert Decoder([], lambda array: array).decode(b"{}") == []


def test_errors_quote_little_of_the_body():
    long = "9" * 10_000
    key = "k" * 10_000
    for body in (
        f'{{"type":"tensor","value":[{long}],"data_type":"int8"}}',
        f'{{"type":"tensor","value":["{long}"]}}',
        f'{{"type":"tensor","value":[1],"data_type":"{key}"}}',
        f'{{"type":"tensor","value":[1],"shape":[{long}]}}',
    ):
        error = IncompatibleShape if "shape" in body else IncompatibleDtype
        assert len(refusal(body, error, TENSOR)) < 300
    body = f'{{"type":"generic_dict","value":{{"{key}":{HALF}}}}}'
    assert len(refusal(body, IncompatibleDtype, INT_DICT)) < 500

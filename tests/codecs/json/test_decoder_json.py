import re

import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, read_json
from torch_serving.errors import EmptyBody, InvalidJson

TENSOR = TypeSpec("tensor", "Tensor")
INT = TypeSpec("int", "int")
TENSORS = TypeSpec("list", "List[Tensor]", TENSOR)
TABLE = TypeSpec("list", "List[List[Tensor]]", TENSORS)
INTS = TypeSpec("list", "List[int]", INT)
INT_DICT = TypeSpec("dict", "Dict[str, int]", TypeSpec("str", "str"), INT)

NAMED = TypeSpec("tuple", "Named", TENSOR, names=("n",))

MARK = b"\xef\xbb\xbf"
THREE = '{"type":"scalar","value":3}'


def refusal(body, error, *specs):
    """The detail of the error that a body is refused with."""
    arguments = [Argument("abc"[i], spec) for i, spec in enumerate(specs)]
    with pytest.raises(error) as caught:
        Decoder(arguments, lambda array: array).decode(
            body if isinstance(body, bytes) else body.encode()
        )
    assert type(caught.value) is error
    return caught.value.detail


@pytest.mark.parametrize(
    "envelope",
    [
        '{"type":"tensor","type":"tensor","value":[1]}',
        '{"type":"tensor","value":[1],"value":[1]}',
        '{"type":"tensor","value":[1],"shape":[1],"shape":[1]}',
        '{"data_type":"int8","type":"tensor","value":[1],"data_type":"int8"}',
        '{"type":"tensor","value":[1],"valu\\u0065":[1]}',
        '{"type":"tensor","value":[1],"\\u0074\\u0079\\u0070\\u0065":"tensor"}',
        '{"type":"tensor","value":[1],"x":1,"x":1}',
        '{"type":"tensor","value":[1],"x":1,"\\u0078":null}',
        '{"é":1,"type":"tensor","value":[1],"\\u00e9":1}',
        '{"":1,"":1,"type":"tensor","value":[1]}',
        '{"x":1,"x":1}',
    ],
)
@pytest.mark.parametrize(
    ("spec", "around"), [(TENSOR, "%s"), (TENSOR, "[%s]"), (TENSORS, "[%s]"), (TABLE, "[[%s]]")]
)
def test_a_key_may_stand_once_in_an_envelope(envelope, spec, around):
    detail = refusal(around % envelope, InvalidJson, spec)
    assert detail.endswith(": a key stands twice in one object")


@pytest.mark.parametrize(
    ("spec", "body", "offset"),
    [
        (TENSORS, '[[{"type":"tensor","type":"tensor","value":[1]}]]', 19),
        (TENSORS, '[[{"type":"tensor","value":[1],"x":1,"x":1}]]', 37),
        (INTS, '[[{"type":"scalar","value":1,"value":1}]]', 29),
        (TABLE, '[[[{"type":"tensor","value":[1],"value":[1]}]]]', 32),
    ],
)
def test_a_key_that_stands_twice_is_reported_of_both_readings(spec, body, offset):
    assert refusal(body, InvalidJson, spec) == f"byte {offset}: a key stands twice in one object"


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (f'{{"type":"generic_dict","value":{{"k":{THREE},"k":{THREE}}}}}', 64),
        (f'{{"type":"generic_dict","value":{{"k":{THREE},"\\u006b":{THREE}}}}}', 64),
        (f'{{"type":"generic_dict","value":{{"":{THREE},"":{THREE}}}}}', 63),
    ],
)
def test_a_key_may_stand_once_in_a_dict(body, offset):
    expected = f"byte {offset}: a key stands twice in one object"
    assert refusal(body, InvalidJson, INT_DICT) == expected


def test_keys_of_objects_that_are_ignored_may_stand_twice():
    body = (
        b'{"type":"named_tuple","value":{"n":{"type":"tensor","value":[1]}},"name":{"a":1,"a":2}}'
    )
    assert Decoder([Argument("a", NAMED)], len).decode(body) == [(1,)]


@pytest.mark.parametrize(
    ("body", "offset", "problem"),
    [
        (b" ", 0, "the body holds no JSON value"),
        (b"nul", 0, "expected true, false or null"),
        (b"[1, tru]", 4, "expected true, false or null"),
        (b"[] x", 3, "text after the end of the document"),
        (b"[]]", 2, "text after the end of the document"),
        (b'{"a" 1}', 5, "expected a colon after the key"),
        (b"{1:1}", 1, "expected a key in double quotes"),
        (b'{"a":1,}', 7, "expected a key in double quotes"),
        (b"[1 2]", 3, "expected a comma or the end of the array or object"),
        (b"[1", 2, "expected a comma or the end of the array or object"),
        (b"[[1]", 4, "expected a comma or the end of the array or object"),
        (b"[1,]", 3, "expected a value"),
        (b"[NaN]", 1, "expected a value"),
        (b"[0, 01]", 4, "not a JSON number"),
        (b'{"a": -}', 6, "not a JSON number"),
        (b'["a\x01"]', 3, "a string holds a control character that is not escaped"),
        (b'["a", "b]', 6, "a string is not closed"),
        (b'["a", "\\x"]', 6, "a string holds an invalid escape"),
        (b'["a", "\\ud800"]', 6, "a string holds an invalid escape"),
    ],
)
def test_what_is_no_json_is_refused_with_its_byte(body, offset, problem):
    assert re.fullmatch(f"byte {offset}: {problem}(; .*)?", refusal(body, InvalidJson))


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"\xff", 0),
        (b'["a", "b\xff"]', 8),
        (b'["a", "b\xc3"]', 8),
        (b'["\xed\xa0\x80"]', 2),
        (b'["' + b"a" * 1000 + b'\x80"]', 1002),
    ],
)
def test_what_is_no_utf8_is_refused_with_its_byte(body, offset):
    assert refusal(body, InvalidJson) == f"byte {offset}: the body is not UTF-8"


def test_nothing_at_all_is_no_body():
    for body in (b"", MARK):
        expected = "the request has no body; expected a JSON document ("
        assert refusal(body, EmptyBody).startswith(expected)


def test_a_byte_order_mark_is_passed_over():
    one = b'{"type":"tensor","value":[1]}'
    decoder = Decoder([Argument("a", TENSOR)], lambda array: array.tolist())
    assert decoder.decode(MARK + one) == [[1]]
    assert read_json(MARK + b"[7]").elements()[0].integer() == 7
    assert refusal(MARK + b"[1,]", InvalidJson).startswith("byte 6: ")
    assert refusal(MARK + MARK + one, InvalidJson).startswith("byte 3: ")
    assert refusal(one + MARK, InvalidJson).startswith(f"byte {len(one)}: ")
    assert refusal(MARK[:2], InvalidJson).startswith("byte 0: ")


@pytest.mark.parametrize(
    "body",
    [
        '{"type":"tensor","value":[1],"x":[01]}',
        '{"type":"tensor","value":[1],"x":01}',
        '{"type":"tensor","value":[1],"x":[[1],[1.]]}',
        '{"type":"tensor","value":[1],"x":{"y":[-]}}',
        '{"type":"tensor","value":[1,"x",1.]}',  # neither is "x" a number
        '{"type":"tensor","value":[[1],[2,3],[+1]]}',
        '{"type":"tensor","value":[1],"shape":[7,1.]}',
        '{"type":"what","value":[1.e1]}',
        '{"type":"tensor","shape":[3],"value":[1e]}',
        "[1.]",
        "[[[0x1]]]",
    ],
)
def test_that_it_is_no_json_matters_more_than_what_else_is_wrong(body):
    assert refusal(body, InvalidJson, TENSOR).startswith("byte ")

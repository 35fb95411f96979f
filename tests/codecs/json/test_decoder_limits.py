import json

import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.errors import (
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
    InvalidJson,
)

TENSOR = TypeSpec("tensor", "Tensor")
TENSORS = Decoder([Argument("x", TENSOR)], lambda array: array)
STRINGS = Decoder([Argument("x", TypeSpec("str", "str"))], None)
NAMED = Decoder([Argument("x", TypeSpec("tuple", "N", TypeSpec("str", "str"), names=("a",)))], None)
NOTHING = Decoder([], None)


def refuse(decoder, body, error):
    with pytest.raises(error) as caught:
        decoder.decode(body)
    return caught.value.detail


@pytest.mark.parametrize(
    ("shape", "detail"),
    [
        ([4611686018427387904], "/shape/0: the product of the dimensions overflows"),
        ([9223372036854775807], "/shape/0: the product of the dimensions overflows"),
        ([9223372036854775808], "/shape/0: expected a non-negative integer"),
        ([18446744073709551617], "/shape/0: expected a non-negative integer"),
        ([4294967296, 4294967296], "/shape/1: the product of the dimensions overflows"),
        ([65536, 65536, 65536, 65536], "/shape/3: the product of the dimensions overflows"),
        ([2] * 32 + [1], "/shape: more than 32 dimensions"),
        ([1] * 33, "/shape: more than 32 dimensions"),
        ([1] * 10_000, "/shape: more than 32 dimensions"),
        ([0, 4611686018427387904], "/shape/1: the product of the dimensions overflows"),
        ([4294967296, 0, 4294967296], "/shape/2: the product of the dimensions overflows"),
        ([4611686018427387904, 0], "/shape/0: the product of the dimensions overflows"),
        ([0, -1], "/shape/1: expected a non-negative integer, got the number -1"),
        ([-1], "/shape/0: expected a non-negative integer, got the number -1"),
        ([-2, -3], "/shape/0: expected a non-negative integer"),
        ([-9223372036854775808, 2], "/shape/0: expected a non-negative integer"),
        ([6.0], "/shape/0: expected a non-negative integer, got the number 6.0"),
        ([2, 2.5], "/shape/1: expected a non-negative integer"),
        ([6e0], "/shape/0: expected a non-negative integer"),
        (["6"], '/shape/0: expected a non-negative integer, got the string "6"'),
        ([None], "/shape/0: expected a non-negative integer, got null"),
        ([True, 6], "/shape/0: expected a non-negative integer, got true"),
        ([5], "/shape: shape [5] holds 5 numbers, `value` has 6"),
        ([7], "/shape: shape [7] holds 7 numbers, `value` has 6"),
        ([0], "/shape: shape [0] holds 0 numbers, `value` has 6"),
        ([], "/shape: shape [] holds 1 numbers, `value` has 6"),
        ([3, 3], "/shape: shape [3, 3] holds 9 numbers, `value` has 6"),
        ([1000, 1000, 1000], "/shape: shape [1000, 1000, 1000] holds 1000000000 numbers, `value`"),
    ],
)
def test_shapes_that_do_not_fit_the_values(shape, detail):
    text = json.dumps(shape)
    for body in (
        f'{{"type":"tensor","shape":{text},"value":[1,2,3,4,5,6]}}',
        f'{{"type":"tensor","value":[1,2,3,4,5,6],"shape":{text}}}',
    ):
        assert refuse(TENSORS, body.encode(), IncompatibleShape).startswith(detail)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("[[1,2],[3,4]]", "[4]"),
        ("[[1,2],[3,4]]", "[2,2,1]"),
        ("[[1,2,3,4]]", "[4,1]"),
        ("[[1,2,3,4]]", "[2,2]"),
        ("[[],[]]", "[0]"),
        ("[[],[]]", "[0,2]"),
        ("7", "[1]"),
    ],
)
def test_shapes_that_contradict_the_nesting(value, shape):
    body = f'{{"type":"tensor","value":{value},"shape":{shape}}}'.encode()
    assert "the nesting of `value`" in refuse(TENSORS, body, IncompatibleShape)


@pytest.mark.parametrize(
    ("value", "location"),
    [
        ("[[1,2],[3]]", "/value/1"),
        ("[[1],[2,3]]", "/value/1"),
        ("[[1],2]", "/value/1"),
        ("[1,[2]]", "/value/1"),
        ("[[],[1]]", "/value/1"),
        ("[[1],[]]", "/value/1"),
        ("[[],[[]]]", "/value/1"),
        ("[[[1]],[2]]", "/value/1"),
        ("[[[1,2],[3,4]],[[5,6],[7]]]", "/value/1/1"),
        ("[[[1],[2]],[[3]]]", "/value/1"),
        ("[[1,2],[3,[4]]]", "/value/1"),
        ("[[1],null]", "/value/1"),
        ('[[1],"x"]', "/value/1"),
        ("[[1],{}]", "/value/1"),
    ],
)
def test_ragged_nesting(value, location):
    body = f'{{"type":"tensor","value":{value}}}'.encode()
    assert refuse(TENSORS, body, IncompatibleShape).startswith(f"{location}")


@pytest.mark.parametrize("rank", [1, 31, 32])
def test_ranks_up_to_32(rank):
    nested = f'{{"type":"tensor","value":{"[" * rank}7{"]" * rank}}}'
    declared = f'{{"type":"tensor","value":[7],"shape":{[1] * rank}}}'
    for body in (nested, declared):
        [array] = TENSORS.decode(body.encode())
        assert array.shape == (1,) * rank


@pytest.mark.parametrize("rank", [33, 50])
def test_ranks_beyond_32(rank):
    body = f'{{"type":"tensor","value":{"[" * rank}7{"]" * rank}}}'.encode()
    assert "more than 32 dimensions" in refuse(TENSORS, body, IncompatibleShape)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[ 0, ", "]")])
def test_nesting_ends_at_64_levels(opening, closing):
    deep = opening * 64 + "1" + closing * 64
    refuse(NOTHING, deep.encode(), InvalidInput)
    deeper = opening + deep + closing
    detail = refuse(NOTHING, deeper.encode(), InvalidJson)
    assert detail == f"byte {64 * len(opening)}: nested deeper than 64 levels"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_what_is_ignored_nests_no_deeper(opening, closing):
    body = '{"name":%s,"type":"named_tuple","value":["a"]}'
    deep = opening * 63 + "1" + closing * 63  # the envelope is a level as well
    refuse(NAMED, (body % deep).encode(), InvalidInput)
    detail = refuse(NAMED, (body % (opening + deep + closing)).encode(), InvalidJson)
    assert detail == f"byte {8 + 63 * len(opening)}: nested deeper than 64 levels"


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"[" * 1_000_000, 64),
        (b"[" * 1_000_000 + b"]" * 1_000_000, 64),
        (b'{"a":' * 1_000_000, 320),
        (b'{"type":"tensor","value":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", 88),
    ],
    ids=["open", "closed", "objects", "value"],
)
def test_a_million_levels(body, offset):
    assert refuse(TENSORS, body, InvalidJson) == f"byte {offset}: nested deeper than 64 levels"


def members(count, value=b"0"):
    """The inside of an object, with as many keys."""
    return b",".join(b'"%d":%b' % (index, value) for index in range(count))


def test_objects_have_up_to_100000_members():
    one = b'{"type":"tensor","value":[1]}'
    dicts = Decoder(
        [Argument("x", TypeSpec("dict", "Dict[str, Tensor]", TypeSpec("str", "str"), TENSOR))],
        lambda array: 1,
    )
    [values] = dicts.decode(b'{"type":"generic_dict","value":{%b}}' % members(100_000, one))
    assert len(values) == 100_000
    body = b'{"type":"tensor","value":[1],%b}' % members(99_998)
    assert refuse(TENSORS, body, InvalidInput).startswith("/0: unknown key")


@pytest.mark.parametrize("count", [100_001, 1_000_000])
@pytest.mark.parametrize("around", [b"{%b}", b'[{"type":"tensor","value":[1],"x":{%b}}]'])
def test_objects_with_more_members_are_refused(count, around):
    body = around % members(count)
    offset = body.index(b'"100000":')
    assert refuse(TENSORS, body, InvalidJson) == (
        f"byte {offset}: an object has more than 100000 members"
    )


@pytest.mark.parametrize("data_type", ["bool", "uint8", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize(
    "number",
    ["1" * 1_000_000, "1" * 1_000_000 + ".5", "9" * 65_000 + "e99"],
    ids=["integer", "fraction", "exponent"],
)
def test_numbers_of_a_million_digits(number, data_type):
    body = f'{{"type":"tensor","value":[{number}],"data_type":"{data_type}"}}'.encode()
    detail = refuse(TENSORS, body, IncompatibleDtype)
    assert detail.startswith(f"/value/0: {number[:60]}… does not fit {data_type}")


def test_fractions_of_a_million_digits():
    body = f'{{"type":"tensor","value":[0.{"3" * 1_000_000}],"data_type":"float64"}}'.encode()
    assert TENSORS.decode(body)[0].tolist() == [1 / 3]


UNION = TypeSpec("union", "Union[int, str]", TypeSpec("int", "int"), TypeSpec("str", "str"))
NESTED = TypeSpec(
    "union", "Union[List[...], str]", TypeSpec("list", "List[...]", UNION), UNION.parts[1]
)
TEXT = {"type": "string", "value": "a"}


@pytest.mark.parametrize(
    ("element", "last", "detail"),
    [
        (UNION, [1.5], '/0/50000: expected an envelope {"type": "scalar", ...} for int'),
        (UNION, {"type": "string", "value": [1]}, '/0/50000/type: expected "scalar" for int'),
        (UNION, {"type": "scalar", "value": [1]}, "/0/50000/value: expected a single number"),
        (NESTED, [TEXT, {"type": "string"}], '/0/50000/1/type: expected "scalar" for int'),
    ],
)
def test_unions_in_long_lists(element: TypeSpec, last: object, detail: str):
    """Each element is tried as several types; to say what is wrong with a try takes a walk over
    all elements before it."""
    decoder = Decoder([Argument("x", TypeSpec("list", "List[Union]", element))], None)
    strings = [TEXT] * 50_000
    assert decoder.decode(json.dumps([strings]).encode()) == [["a"] * 50_000]
    refusal = refuse(decoder, json.dumps([[*strings, last]]).encode(), InvalidInput)
    assert refusal.startswith(detail), refusal

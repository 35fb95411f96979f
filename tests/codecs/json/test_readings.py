"""Plain JSON, positional and bare: the table of readings in docs/http-api.md, row by row."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory
from torch_serving.errors import BodyTooLarge, InvalidInput, ServingError
from torch_serving.tensor_constraint import Dimension, TensorConstraint

DOCUMENT = Path(__file__).parents[3] / "docs" / "http-api.md"
ROW = re.compile(r"\| `([^`]+)` \| `([^`]+)` \| (.+) \|")
ROWS = [
    found.groups()
    for found in map(ROW.fullmatch, DOCUMENT.read_text("utf-8").splitlines())
    if found and ": " in found[1]
]
KINDS = {"Tensor": "tensor"} | {name: name for name in ("int", "str", "complex")}
CONTAINERS = {"List": "list", "Tuple": "tuple", "Dict": "dict", "Optional": "optional"}


def split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def spec_of(text: str) -> TypeSpec:
    name, _, inner = text.partition("[")
    if not inner:
        return TypeSpec(KINDS[name], text)
    return TypeSpec(CONTAINERS[name], text, *map(spec_of, split(inner[:-1])))


def decoder_of(text: str) -> Decoder:
    pairs = [pair.split(": ", 1) for pair in split(text)]
    arguments = [Argument(name, spec_of(type_)) for name, type_ in pairs]
    return Decoder(arguments, ValueFactory(lambda array: ("tensor", array.tolist(), array.shape)))


def test_the_table_is_there():
    assert len(ROWS) > 30


@pytest.mark.parametrize(("takes", "body", "reading"), ROWS)
def test_a_row_of_the_table(takes: str, body: str, reading: str):
    decoder = decoder_of(takes)
    shown = re.findall("`([^`]*)`", reading)
    if reading.startswith("refused"):
        with pytest.raises(InvalidInput) as caught:
            decoder.decode(body.encode())
        bodies = [each for each in shown if each.startswith("{")]
        assert caught.value.detail.endswith(f"send {' or '.join(bodies)}" if bodies else "")
        readings = {repr(decoder.decode(each.encode())) for each in bodies}
        assert len(readings) == len(bodies)
        return
    assert repr(decoder.decode(body.encode())) == repr(decoder.decode(shown[0].encode()))


@pytest.mark.parametrize(
    ("shape", "body", "expected"),
    [
        ([None, None], b"[[1,2,3,4]]", (1, 4)),
        ([None], b"[[1,2,3,4]]", (4,)),
        ([None, 4], b"[[1,2,3,4]]", (1, 4)),
        ([None, 3], b"[[1,2,3,4]]", None),
        ([], b"[5]", ()),
        ([1], b"[5]", (1,)),
        ([None, None, None], b"[[[1,2]]]", (1, 1, 2)),
    ],
)
def test_a_declared_shape_leaves_one_reading(shape: Any, body: bytes, expected: Any):
    dimensions = [Dimension() if size is None else Dimension(size, size) for size in shape]
    constraint = TensorConstraint(shape=tuple(dimensions))
    spec = TypeSpec("tensor", "Tensor", constraint=constraint)
    decoder = Decoder([Argument("x", spec)], lambda array: array.shape)
    if expected is None:
        with pytest.raises(ServingError):
            decoder.decode(body)
    else:
        assert decoder.decode(body) == [expected]


@pytest.mark.parametrize(
    ("takes", "body", "where"),
    [
        ("x: Tensor", "[[1, 2], [3]]", "/1: nested arrays differ"),
        ("x: Tensor", '[[1, "a"]]', "/0/1: expected a number that fits float32"),
        ("x: Tensor, n: int", "[[1, 2], 1.5]", "/1: 1.5 does not fit int64"),
        ("a: List[List[int]]", '[[1, 2], [3, "4"]]', "/1/1: expected a number that fits int64"),
        ("d: Dict[str, Tensor]", '[{"u": ["x"]}]', "/0/u/0: expected a number"),
        ("d: Dict[str, Tensor]", '{"u": ["x"]}', "/u/0: expected a number"),
        ("x: Tensor", '[{"type": "tensor", "value": [1], "dtype": "int8"}]', "/0/dtype: unknown"),
        ("x: Tensor", '[{"type": "tensor", "value": ["x"]}]', "/0/value/0: expected a number"),
    ],
)
def test_the_error_of_the_reading_that_went_furthest(takes: str, body: str, where: str):
    with pytest.raises(ServingError) as caught:
        decoder_of(takes).decode(body.encode())
    assert caught.value.detail.startswith(where)


@pytest.mark.parametrize(
    ("takes", "body", "hint"),
    [
        ("x: Tensor", '{"instances": [[1, 2]]}', 'send {"x": …}'),
        ("x: Tensor, y: Tensor", '{"instances": [[1, 2]]}', 'send {"x": …, "y": …}'),
        ("image: Tensor", '{"imgae": [[1, 2]]}', "did you mean `image`?"),
        ("x: Tensor", '{"inputs": [{"name": "x"}]}', "go to /v2/models/<model>/infer"),
        ("input: Tensor", '{"inputs": [1]}', "did you mean `input`? requests of the Open"),
        ("x: Tensor", '{"value": [1], "shape": [1]}', "an envelope has a key `type`"),
        ("x: Tensor", r'"{\"x\": [1]}"', "this string holds JSON, which was encoded twice"),
        ("x: Tensor", '{"x": "data:image/png;base64,iVBO"}', 'an image is {"type": "image", "val'),
    ],
)
def test_hints_of_bodies_that_do_not_fit(takes: str, body: str, hint: str):
    with pytest.raises(ServingError) as caught:
        decoder_of(takes).decode(body.encode())
    assert hint in caught.value.detail


@pytest.mark.parametrize("body", ["[[%s]]", " [\n [%s]\n] "])
def test_bodies_to_choose_from_are_short(body: str):
    numbers = ",".join(["0.125"] * 100_000)
    with pytest.raises(InvalidInput) as caught:
        decoder_of("x: Tensor").decode((body % numbers).encode())
    assert len(caught.value.detail) < 400
    assert re.search(r'send \{"x": \[\s*\[0.*…\]\]\} or \{"x": \[0.*…\]\}$', caught.value.detail)


def test_the_body_to_choose_is_json_whatever_the_name():
    decoder = Decoder([Argument('ä"', TypeSpec("tensor", "Tensor"))], lambda array: array)
    with pytest.raises(InvalidInput) as caught:
        decoder.decode(b"[[1]]")
    first, second = caught.value.detail.partition("; send ")[2].split(" or ")
    assert json.loads(first) == {'ä"': [[1]]}
    assert json.loads(second) == {'ä"': [1]}


def test_plain_values_are_counted_as_others_are():
    for body in (b"[%b]", b"[[%b]]"):
        with pytest.raises(BodyTooLarge):
            decoder_of("a: List[Tensor]").decode(body % b",".join([b"[1]"] * 1_000_000))
    with pytest.raises(BodyTooLarge):
        decoder_of("a: List[int]").decode(b"[%b]" % b",".join([b"1"] * 3_000_000))


def test_large_plain_bodies_are_numbers_as_they_stand():
    matrix = np.random.default_rng(3).normal(size=(300, 1000))
    body = json.dumps(matrix.tolist()).encode()
    decoder = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)
    [array] = decoder.decode(body)
    assert np.array_equal(array, matrix.astype(np.float32))

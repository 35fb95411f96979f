"""Constants, and dictionaries and lists whose parts are all known: what programs have."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec
from torch_serving.codecs.python_values import ValueReader, read_arguments
from torch_serving.codecs.tensor_tree.specs import StringTensor, input_specs
from torch_serving.codecs.tensor_tree.unflatten import unflatten
from torch_serving.errors import ServingError
from torch_serving.http.openapi.argument_schemas import value as schema_of
from torch_serving.http.openapi.result_schemas import result as result_schema_of

TENSOR = TypeSpec("tensor", "Tensor")


@dataclasses.dataclass
class Box:
    low: torch.Tensor
    margin: int = 3
    mask: torch.Tensor | None = None


def constant(value: Any) -> TypeSpec:
    kind = "none" if value is None else type(value).__name__
    return TypeSpec("constant", f"Literal[{value!r}]", TypeSpec(kind, kind), value=value)


def closed(**members: TypeSpec) -> TypeSpec:
    parts = (TypeSpec("str", "str"), TypeSpec("any", "Any"))
    return TypeSpec("dict", "{u: Tensor, n: int}", *parts, members=members, closed=True)


BOX = TypeSpec("tuple", "Box", TENSOR, constant(3), constant(None), names=("low", "margin", "mask"))
PAIR = closed(u=TENSOR, n=constant(7))
LISTED = TypeSpec("tuple", "[Tensor, Tensor]", TENSOR, TENSOR)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the detail of its error."""
    try:
        return call()
    except ServingError as error:
        return error.detail


def decoded(argument: Argument, document: Any) -> Any:
    return Decoder([argument], lambda array: array.tolist()).decode(json.dumps(document).encode())


JSON: list[tuple[TypeSpec, Any, Any]] = [
    (constant(5), {"x": 5}, [5]),
    (constant(5), {"x": {"type": "scalar", "value": 5}}, [5]),
    (constant(5), {}, [5]),
    (
        constant(5),
        {"x": 6},
        "/x: expected 5, which is fixed in the model, got the number 6 (argument `x`: Literal[5])",
    ),
    (
        constant(5),
        {"x": "5"},
        '/x: expected 5, which is fixed in the model, got the string "5" '
        "(argument `x`: Literal[5])",
    ),
    (
        constant(5),
        {"x": None},
        "/x: expected 5, which is fixed in the model, got null (argument `x`: Literal[5])",
    ),
    (constant(0.1), {"x": {"type": "scalar", "value": 0.1, "data_type": "float32"}}, [0.1]),
    (constant(2.0), {"x": 2}, [2.0]),
    (
        constant(0.1),
        {"x": 0.2},
        "/x: expected 0.1, which is fixed in the model, got the number 0.2 "
        "(argument `x`: Literal[0.1])",
    ),
    (constant(float("inf")), {"x": "Infinity"}, [float("inf")]),
    (constant(True), {"x": True}, [True]),
    (
        constant(True),
        {"x": False},
        "/x: expected true, which is fixed in the model, got false (argument `x`: Literal[True])",
    ),
    (constant("a"), {"x": "a"}, ["a"]),
    (
        constant("a"),
        {"x": "b"},
        '/x: expected "a", which is fixed in the model, got the string "b" '
        "(argument `x`: Literal['a'])",
    ),
    (constant(None), {"x": None}, [None]),
    (constant(None), {"x": {"type": "none"}}, [None]),
    (
        constant(None),
        {"x": [1.0]},
        "/x: expected null, which is fixed in the model, got an array of 1 element "
        "(argument `x`: Literal[None])",
    ),
    (PAIR, {"x": {"u": [1], "n": 7}}, [{"u": [1.0], "n": 7}]),
    (PAIR, {"x": {"n": 7, "u": [1]}}, [{"u": [1.0], "n": 7}]),
    (PAIR, {"x": {"u": [1]}}, [{"u": [1.0], "n": 7}]),
    (PAIR, {"u": [1]}, [{"u": [1.0], "n": 7}]),
    (PAIR, {"x": {"type": "generic_dict", "value": {"u": [1]}}}, [{"u": [1.0], "n": 7}]),
    (
        PAIR,
        {"x": {"n": 7}},
        "/x: expected the keys u, n, got n (argument `x`: {u: Tensor, n: int})",
    ),
    (
        PAIR,
        {"x": {}},
        "/x: expected the keys u, n, got none (argument `x`: {u: Tensor, n: int})",
    ),
    (
        PAIR,
        {"x": {"u": [1], "w": 2}},
        "/x: expected the keys u, n, got u, w (argument `x`: {u: Tensor, n: int})",
    ),
    (
        PAIR,
        {"x": {"u": [1], "n": 8}},
        "/x/n: expected 7, which is fixed in the model, got the number 8 "
        "(argument `x`: {u: Tensor, n: int})",
    ),
    (
        PAIR,
        {"x": [1]},
        "/x: expected an object for {u: Tensor, n: int}, got an array of 1 element "
        "(argument `x`: {u: Tensor, n: int})",
    ),
    (BOX, {"x": {"low": [1], "margin": 3, "mask": None}}, [([1.0], 3, None)]),
    (BOX, {"x": {"low": [1]}}, [([1.0], 3, None)]),
    (BOX, {"x": [[1], 3, None]}, [([1.0], 3, None)]),
    (
        BOX,
        {"x": {"margin": 3}},
        "/x: expected the fields low, margin, mask, got margin (argument `x`: Box)",
    ),
    (LISTED, {"x": [[1], [2]]}, [([1.0], [2.0])]),
    (
        LISTED,
        {"x": {"type": "tensor_list", "value": [{"type": "tensor", "value": [1]}] * 2}},
        [([1.0], [1.0])],
    ),
    (
        LISTED,
        {"x": [[1]]},
        "/x: expected 2 elements, got 1 (argument `x`: [Tensor, Tensor])",
    ),
]


@pytest.mark.parametrize(("spec", "document", "expected"), JSON)
def test_json(spec: TypeSpec, document: Any, expected: Any) -> None:
    is_constant = spec.kind == "constant"
    argument = Argument("x", spec, not is_constant, spec.value)
    assert outcome(lambda: decoded(argument, document)) == expected


def test_positional_arguments_end_no_sooner_than_the_last_required_one() -> None:
    arguments = [
        Argument("x", TENSOR),
        Argument("flag", constant(True), False, True),
        Argument("y", TENSOR),
        Argument("n", constant(3), False, 3),
    ]
    decoder = Decoder(arguments, lambda array: array.tolist())
    assert decoder.decode(b"[[1], true, [2]]") == [[1.0], True, [2.0]]
    with pytest.raises(ServingError) as raised:
        decoder.decode(b"[[1], [2]]")
    assert "expected 3 to 4 arguments" in raised.value.detail


ONE = torch.ones(1)
NAMED: list[tuple[TypeSpec, Mapping[str, Any], Any]] = [
    (PAIR, {"x.u": ONE}, {"u": ONE, "n": 7}),
    (PAIR, {"x.u": ONE, "x.n": torch.tensor([7])}, {"u": ONE, "n": 7}),
    (
        PAIR,
        {"x.u": ONE, "x.n": torch.tensor([8])},
        "input `x.n`: expected 7, which is fixed in the model, got 8",
    ),
    (PAIR, {"x.n": torch.tensor([7])}, "input `x.u`: Tensor is missing"),
    (PAIR, {"x.u": ONE, "x.w": ONE}, "input `x.w` is unknown; expected x.u, x.n"),
    (PAIR, {}, "input `x.u, x.n`: {u: Tensor, n: int} is missing"),
    (BOX, {"x.low": ONE}, (ONE, 3, None)),
    (
        BOX,
        {"x.low": ONE, "x.mask": ONE},
        "input `x.mask`: expected null, which is fixed in the model, got a tensor",
    ),
    (constant(0.1), {"x": torch.tensor([0.1])}, 0.1),
    (constant("a"), {"x": StringTensor((1,), ["a"])}, "a"),
    (
        constant("a"),
        {"x": StringTensor((1,), ["b"])},
        'input `x`: expected "a", which is fixed in the model, got "b"',
    ),
    (TypeSpec("tuple", "Tuple[[int], Tensor]", TypeSpec("tuple", "[int]", constant(2)), TENSOR),
     {"x.1": ONE}, ((2,), ONE)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "tensors", "expected"), NAMED)
def test_named_tensors(spec: TypeSpec, tensors: Mapping[str, Any], expected: Any) -> None:
    assert outcome(lambda: unflatten([Argument("x", spec)], tensors)[0]) == expected


def test_names_of_tensors() -> None:
    both = [*input_specs(Argument("x", PAIR)), *input_specs(Argument("y", BOX))]
    assert [(each.name, each.required) for each in both] == [
        ("x.u", True), ("x.n", False), ("y.low", True), ("y.margin", False),
    ]  # fmt: skip


PYTHON: list[tuple[TypeSpec, Any, Any]] = [
    (constant(5), np.int64(5), 5),
    (constant(5), 6, "argument `x`: expected 5, which is fixed in the model, got 6"),
    (constant(None), None, None),
    (constant(None), "a", "argument `x`: expected null, which is fixed in the model, got 'a'"),
    (PAIR, {"u": ONE}, {"u": ONE, "n": 7}),
    (PAIR, {"n": 7}, "argument `x`: expected the keys u, n, got n"),
    (PAIR, {"u": ONE, "n": 8},
     "argument `x`['n']: expected 7, which is fixed in the model, got 8"),
    (BOX, {"low": ONE}, (ONE, 3, None)),
    (BOX, Box(ONE), (ONE, 3, None)),
    (BOX, Box(ONE, 4), "argument `x`[1]: expected 3, which is fixed in the model, got 4"),
    (BOX, {"mask": None}, "argument `x`: expected the fields low, margin, mask, got mask"),
    (LISTED, [ONE, ONE], (ONE, ONE)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "value", "expected"), PYTHON)
def test_values_of_python(spec: TypeSpec, value: Any, expected: Any) -> None:
    reader = ValueReader(lambda *_: None)
    arguments = [Argument("x", spec)]
    assert outcome(lambda: read_arguments(reader, arguments, None, {"x": value})[0]) == expected


def test_schemas() -> None:
    (box, *_) = [each for each in schema_of(BOX, True)["anyOf"] if each["type"] == "object"][1:]
    assert box["required"] == ["low"]
    pair = schema_of(PAIR, True)["anyOf"][-1]
    assert (pair["required"], pair["additionalProperties"]) == (["u"], False)
    assert {"const": 7} in pair["properties"]["n"]["anyOf"]
    members = result_schema_of(PAIR)["properties"]["value"]
    assert (members["required"], members["additionalProperties"]) == (["u", "n"], False)

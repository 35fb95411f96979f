"""What a program tells of its arguments and results."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils import _pytree

from tests.support.signature_programs import ROWS, Pair, document, signature
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.errors import IncompatibleShape, InvalidInput, ServingError
from torch_serving.models.backends.export.signature.signature import program_signature
from torch_serving.models.backends.export.signature.tree import TENSOR, bound, read_tree, type_of
from torch_serving.tensor_constraint import Dimension

SPELLINGS = {
    "trees": "(pair: Pair, box: Box, images: [Tensor, Tensor], features: {u: Tensor, v: Tensor}, "
    "rest_0: Tensor, factor: Literal[5] = 5, more: {q: Tensor}) -> Tuple[Pair, [Tensor, Tensor], "
    "{one: Tuple[Tensor], none: None, seven: Literal[7], again: Tensor}, Tensor]",
    "burnt": "(x: Tensor, flag: Literal[true] = True, name: Literal[\"abc\"] = 'abc', "
    "nothing: None = None, scale: Literal[0.1] = 0.1) -> Tensor",
    "integers": "(x: Tensor, y: Tensor, count: int) -> Tuple[Tensor, int, int]",
    "rest": "(x: Tensor, rest_0: Tensor) -> Tensor",
}


@pytest.mark.parametrize(("name", "text"), SPELLINGS.items())
def test_names_and_types(name: str, text: str) -> None:
    assert str(signature(name).signature) == text


def test_trees_of_arguments_become_the_inputs_of_the_graph() -> None:
    flatten = signature("trees").flatten
    assert flatten is not None
    arguments = [(1, 2), (3, 4, 3, None), (5, 6), {"v": 8, "u": 7}, 9, 5, {"q": 10}]
    assert flatten(arguments) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_outputs_of_the_graph_become_the_tree_of_results() -> None:
    restore = signature("trees").restore
    assert restore is not None
    pair, listed, named, tensor = restore((1, 2, 3, 4, 5, 6, 7))
    assert (pair, type(pair).__name__, pair._fields) == ((1, 2), "Pair", ("left", "right"))
    assert (listed, tensor) == ([3, 4], 7)
    assert named == {"one": (5,), "none": None, "seven": 7, "again": 6}


@pytest.mark.parametrize("name", ["linear", "fixed", "fours", "derived", "integers", "rest"])
def test_flat_programs_need_neither(name: str) -> None:
    program = signature(name)
    assert (program.flatten, program.restore) == (None, None)


def test_constants_are_left_out_of_the_inputs() -> None:
    flatten = signature("burnt").flatten
    assert flatten is not None
    assert flatten([1, True, "abc", None, 0.1]) == flatten([1, True]) == flatten([1]) == [1]


SHAPES = {
    "linear": ("float32", (Dimension(1, 64, "s77"), Dimension(3, 3))),
    "open": ("float32", (Dimension(0, None, "s77"), Dimension(3, 3))),
    "fixed": ("float32", (Dimension(4, 4), Dimension(3, 3))),
}


@pytest.mark.parametrize(("name", "expected"), SHAPES.items())
def test_types_and_shapes(name: str, expected: tuple[str, tuple[Dimension, ...]]) -> None:
    program = signature(name).signature
    (argument,) = program.arguments
    assert argument.spec.constraint is not None
    assert program.result.constraint is not None
    assert argument.spec.constraint[:2] == expected
    assert program.result.constraint.shape == (expected[1][0], Dimension(2, 2))


def test_derived_dimensions_have_ranges() -> None:
    shapes = [
        each.spec.constraint.shape
        for each in signature("derived").signature.arguments
        if each.spec.constraint is not None
    ]
    assert [shape and shape[0] for shape in shapes] == [
        Dimension(2, 10, "s77"),
        Dimension(3, 11, "s77 + 1"),
        Dimension(4, 20, "2*s77"),
    ]


@pytest.mark.parametrize("most", [None, (1 << 63) - 1, (1 << 62), "oo", 1 << 80])
def test_infinite_ranges_are_open(most: Any) -> None:
    changed = document("linear")
    changed["range_constraints"] = {"s77": {"min_val": 1, "max_val": most}}
    constraint = program_signature(changed).signature.arguments[0].spec.constraint
    assert constraint is not None
    assert constraint.shape is not None
    assert constraint.shape[0] == Dimension(1, None, "s77")


BATCHES = {
    "linear": 64,
    "open": 65536,
    "fixed": None,  # no symbol
    "fours": None,  # a guard
    "derived": None,  # rows follow from rows
    "integers": None,  # results that are no tensors
    "trees": None,
}


@pytest.mark.parametrize(("name", "rows"), BATCHES.items())
def test_rows_of_a_batch(name: str, rows: int | None) -> None:
    assert signature(name).max_batch == rows


def tensors(*shapes: Any) -> list[torch.Tensor]:
    return [torch.zeros(shape) for shape in shapes]


TOGETHER: list[tuple[str, list[Any], type[ServingError] | None, str]] = [
    ("derived", tensors((4, 3), (5, 3), (8, 7)), None, ""),
    (
        "derived",
        tensors((4, 3), (5, 3), (9, 7)),
        IncompatibleShape,
        "argument `z`: dimension 0 of `z` is 9, not 8: it is 2*s77, and s77 is 4, "
        "dimension 0 of `x`",
    ),
    (
        "derived",
        tensors((4, 3), (6, 3), (8, 7)),
        IncompatibleShape,
        "argument `y`: dimension 0 of `y` is 6, not 5: it is s77 + 1, and s77 is 4, "
        "dimension 0 of `x`",
    ),
    (
        "derived",
        tensors((4, 3), (5, 3), (8, 4)),
        IncompatibleShape,
        "argument `y`: the model needs y.shape[0] <= z.shape[1]; y.shape[0] is 5, z.shape[1] is 4",
    ),
    ("fours", tensors((8, 3)), None, ""),
    (
        "fours",
        tensors((9, 3)),
        IncompatibleShape,
        "argument `x`: the model needs (x.shape[0] % 4) == 0; x.shape[0] is 9",
    ),
    ("integers", [*tensors((4, 3), (4, 3)), 2], None, ""),
    (
        "integers",
        [*tensors((4, 3), (4, 3)), 5],
        InvalidInput,
        "argument `count`: the model needs (count >= 0) and (count <= x.shape[0]); count is 5, "
        "x.shape[0] is 4",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "error", "text"), TOGETHER)
def test_what_must_go_together(
    name: str, arguments: list[Any], error: type[ServingError] | None, text: str
) -> None:
    check = signature(name).signature.check
    assert check is not None
    for _ in range(2):  # what was right is remembered
        if error is None:
            check([each.numpy() if isinstance(each, torch.Tensor) else each for each in arguments])
            check(arguments)
            continue
        with pytest.raises(error) as raised:
            check(arguments)
        assert raised.value.detail == text


@pytest.mark.parametrize("name", ["linear", "open", "fixed", "trees", "burnt"])
def test_nothing_is_checked_twice(name: str) -> None:
    assert signature(name).signature.check is None


def test_sizes_are_solved_for_a_symbol() -> None:
    changed = document("linear")
    values = changed["graph_module"]["graph"]["tensor_values"]
    doubled = "Mul(Integer(2), Symbol('s77', positive=True, integer=True))"
    values["x"]["sizes"][0] = {"as_expr": {"expr_str": doubled, "hint": None}}
    check = program_signature(changed).signature.check
    assert check is not None
    check(tensors((6, 3)))
    with pytest.raises(IncompatibleShape) as raised:
        check(tensors((7, 3)))
    assert raised.value.detail == ("argument `x`: dimension 0 of `x` is 7, not of the form 2*s77")


def test_guards_that_are_no_arithmetic_are_left_to_the_run() -> None:
    changed = document("linear")
    changed["guards_code"] = ["__import__('os').abort()", "L['y'].size()[0] == 4", "s77 > 3"]
    assert program_signature(changed).signature.check is None


@pytest.mark.parametrize("name", ["trees", "burnt", "derived"])
def test_signatures_are_plain_data(name: str) -> None:
    known = signature(name).signature
    data = json.loads(json.dumps(known.to_dict()))
    again = Signature.from_dict(data)
    assert (str(again), again.to_dict()) == (str(known), data)


def with_types(document: Any, number: int) -> Any:
    document["graph_module"]["graph"]["tensor_values"]["x"]["dtype"] = number
    return document


def test_documents_without_trees_are_flat() -> None:
    changed = document("derived")
    changed["graph_module"]["module_call_graph"] = []
    known = program_signature(changed)
    assert str(known.signature) == (
        "(x: Tensor, y: Tensor, z: Tensor) -> Tuple[Tensor, Tensor, Tensor]"
    )


def test_a_package_does_not_tell_the_fields_of_named_tuples() -> None:
    """Its program would."""
    _, spec = _pytree.tree_flatten(Pair(ROWS, ROWS))
    text = _pytree.treespec_dumps(spec)
    assert type_of(bound(read_tree(text, {"tests.Pair": ["left", "right"]}), tensor_types())).names
    assert type_of(bound(read_tree(text, None), tensor_types())).type == "Tuple[Tensor, Tensor]"


def tensor_types() -> Iterator[TypeSpec]:
    return itertools.repeat(TENSOR)


@pytest.mark.parametrize(("number", "data_type"), [(13, "bfloat16"), (1, "uint8"), (29, "")])
def test_data_types(number: int, data_type: str) -> None:
    changed = with_types(document("linear"), number)
    constraint = program_signature(changed).signature.arguments[0].spec.constraint
    assert constraint is not None
    assert constraint.data_type == data_type


def test_guards_of_arguments_without_names_of_their_own() -> None:
    check = signature("rest").signature.check
    assert check is not None
    check(tensors((5, 3), (6, 3)))
    with pytest.raises(IncompatibleShape) as raised:
        check(tensors((5, 3), (4, 3)))
    assert raised.value.detail == (
        "argument `rest_0`: the model needs rest_0.shape[0] > x.shape[0]; rest_0.shape[0] is 4, "
        "x.shape[0] is 5"
    )

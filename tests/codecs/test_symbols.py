"""Dimensions of one symbol must be equal, wherever the tensors are."""

from typing import Any

import pytest
import torch

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.symbols import argument_check
from torch_serving.errors import IncompatibleShape
from torch_serving.tensor_constraint import Dimension, TensorConstraint

STRING = TypeSpec("str", "str")


def tensor(*symbols: str) -> TypeSpec:
    shape = tuple([Dimension(symbol=symbol) for symbol in symbols])
    return TypeSpec("tensor", "Tensor", constraint=TensorConstraint("", shape))


def record(**members: TypeSpec) -> TypeSpec:
    parts = (STRING, TypeSpec("tensor", "Tensor"))
    return TypeSpec("dict", "record", *parts, members=members, closed=True)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


def several(kind: str, *parts: TypeSpec) -> TypeSpec:
    return TypeSpec(kind, kind, *parts)


def as_arrays(value: Any) -> Any:
    """The same value with arrays for tensors, as packages take them."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {key: as_arrays(part) for key, part in value.items()}
    return type(value)(map(as_arrays, value)) if isinstance(value, list | tuple) else value


X = Argument("x", tensor("n", "m"))
# arguments, values that go together, others that don't, and where
CASES: list[tuple[list[Argument], list[Any], list[Any], str]] = [
    ([X, Argument("y", tensor("n"))], [ones(2, 3), ones(2)], [ones(2, 3), ones(3)],
     "dimension 0 of `y` is 3, and dimension 0 of `x` is 2; both are `n`"),
    ([Argument("x", tensor("n", "n"))], [ones(2, 2)], [ones(2, 3)],
     "dimension 1 of `x` is 3, and dimension 0 of `x` is 2; both are `n`"),
    ([X, Argument("d", record(u=tensor("m"), v=tensor("n")))],
     [ones(2, 3), {"u": ones(3), "v": ones(2)}], [ones(2, 3), {"u": ones(3), "v": ones(3)}],
     "dimension 0 of `d.v` is 3, and dimension 0 of `x` is 2; both are `n`"),
    ([Argument("t", several("tuple", tensor("n"), record(u=tensor("n"))))],
     [(ones(2), {"u": ones(2)})], [(ones(2), {"u": ones(3)})],
     "dimension 0 of `t.1.u` is 3, and dimension 0 of `t.0` is 2; both are `n`"),
    ([Argument("l", several("list", tensor("n")))], [[ones(2), ones(2)]], [[ones(2), ones(3)]],
     "dimension 0 of `l.1` is 3, and dimension 0 of `l.0` is 2; both are `n`"),
    ([X, Argument("o", several("optional", tensor("n")))],
     [ones(2, 3), None], [ones(2, 3), ones(3)],
     "dimension 0 of `o` is 3, and dimension 0 of `x` is 2; both are `n`"),
    ([X, Argument("y", tensor("n"), False, None)], [ones(2, 3)], [ones(2, 3), ones(3)],
     "dimension 0 of `y` is 3, and dimension 0 of `x` is 2; both are `n`"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "right", "wrong", "detail"), CASES)
def test_sizes_agree(
    arguments: list[Argument], right: list[Any], wrong: list[Any], detail: str
) -> None:
    check = argument_check(Signature(tuple(arguments), tensor()))
    assert check is not None
    check(right)
    check(as_arrays(right))
    with pytest.raises(IncompatibleShape) as raised:
        check(wrong)
    assert raised.value.detail.endswith(detail)


@pytest.mark.parametrize(
    "specs", [[tensor("n", "m")], [tensor("n"), tensor("m")], [record(u=tensor("n"))], [tensor()]]
)
def test_nothing_is_checked_where_no_symbol_stands_twice(specs: list[TypeSpec]) -> None:
    arguments = tuple([Argument(f"x{index}", spec) for index, spec in enumerate(specs)])
    assert argument_check(Signature(arguments, tensor())) is None

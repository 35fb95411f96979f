"""Which inputs may run as one, how they are concatenated, and how results are split."""

from typing import Any, NamedTuple

import pytest
import torch

from torch_serving.engine.batch_tensors import (
    NotRowWise,
    concatenate,
    groups_of,
    is_close,
    rows_of,
    split,
)


class Pair(NamedTuple):
    a: Any
    b: Any


X = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("inputs", "rows"),
    [
        ([X], 2),
        ([X, X[:, :1], 5, "a"], 2),
        ([[X, X], {"k": (X, None)}], 2),
        ([X, X[:1]], None),
        ([X, torch.tensor(1.0)], None),
        ([torch.tensor(1.0)], None),
        ([X[:0]], None),
        ([{torch.tensor(1): X}], None),
        ([1, "a"], None),
        ([], None),
    ],
)
def test_rows_are_those_that_all_tensors_have(inputs: list[Any], rows: int | None):
    assert rows_of(inputs) == rows


ALIKE = [X, X + 1, X[:1]]


@pytest.mark.parametrize(
    ("requests", "groups"),
    [
        ([[x] for x in ALIKE], [[0, 1, 2]]),
        ([[X], [X[:, :2]], [X], [X.int()], [X.unsqueeze(0)]], [[0, 2], [1], [3], [4]]),
        ([[X, 1], [X, 2], [X, 1]], [[0, 2], [1]]),
        ([[X, "a"], [X, "b"], [X, None], [X, "a"]], [[0, 3], [1], [2]]),
        ([[X, 1], [X, True], [X, 1.0]], [[0], [1], [2]]),
        ([[X, float("nan")], [X, float("nan")]], [[0], [1]]),
        ([[{"a": X}], [{"b": X}], [{"a": X}]], [[0, 2], [1]]),
        ([[[X, X]], [[X]], [(X,)], [[X, X]]], [[0, 3], [1], [2]]),
        ([[1], [1]], [[0], [1]]),  # no rows, nothing to gain
        ([[torch.tensor(1.0)], [torch.tensor(1.0)]], [[0], [1]]),
        ([[X], [X], [X], [X[:1]]], [[0, 1, 3], [2]]),  # 2 + 2 + 1 rows of 5 at most
    ],
)
def test_what_differs_in_more_than_rows_does_not_run_together(
    requests: list[Any], groups: list[list[int]]
):
    assert groups_of(requests, 5 if len(requests) == 4 else 100) == groups


@pytest.mark.parametrize(
    "value",
    [X, [X, X * 2], (X, [X]), {"a": X, "b": {"c": [X]}}, Pair(X, (X, X))],
)
def test_what_is_concatenated_is_split_again(value: Any):
    other = concatenate([value])
    together = concatenate([value, other, value])
    parts = split(together, [2, 2, 2])
    assert len(parts) == 3
    for part in parts:
        assert type(part) is type(value)
        assert is_close(part, value)


@pytest.mark.parametrize("value", [torch.tensor(1.0), X, [X, X[:1]], {"a": torch.ones(5)}])
def test_results_without_a_row_for_each_row_are_not_split(value: Any):
    with pytest.raises(NotRowWise):
        split(value, [2, 2])


@pytest.mark.parametrize("value", [True, 7, 0.5, 1j, "text", None, torch.device("cpu"), [], {}, ()])
@pytest.mark.parametrize("place", ["alone", "list", "tuple", "dict", "nested"])
def test_what_is_said_of_all_rows_is_no_single_requests(value: Any, place: str):
    rows = torch.ones(4, 3)
    results = {
        "alone": value,
        "list": [rows, value],
        "tuple": (value, rows),
        "dict": {"a": rows, "b": value},
        "nested": [rows, {"a": (rows, [value])}],
    }
    with pytest.raises(NotRowWise, match="for all rows"):
        split(results[place], [2, 2])

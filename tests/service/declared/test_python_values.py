"""Values of Python as arguments of models whose tensors are declared."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.declared_service import CPU, error_of
from torch_serving.service.runtime import Runtime


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        ("ids.pt", {"ids": [[1, 2]]}, torch.tensor([[1, 2]])),
        ("ids.pt", {"ids": [[1.0, 2.0]]}, torch.tensor([[1, 2]])),
        ("ids.pt", {"ids": [[1.5]]}, "argument `ids`: a number does not fit int64"),
        ("ids.pt", {"ids": torch.ones(1, 1)}, "argument `ids`: expected int64, got float32"),
        ("ids.pt", {"ids": np.ones((1, 1))}, "argument `ids`: expected int64, got float64"),
        (
            "ids.pt",
            {"ids": [[1, 2]], "mask": torch.ones(1, 1).bool()},
            "argument `mask`: dimension 1 of `mask` is 1, and dimension 1 of `ids` is 2; "
            "both are `n`",
        ),
        ("row.pt", [[[1, 2, 3, 4]]], torch.tensor([[1.0, 2, 3, 4]])),
        ("row.pt", [[[1]]], "argument `x`: expected shape [1…3, 4], got [1, 1]: dimension 1"),
        ("float16.pt", [[[1e6, 1.0]]], "argument `input`: a number does not fit float16"),
        ("dict.pt", [{"user": [1]}], {"user": torch.tensor([1])}),
    ],
)  # fmt: skip
def test_values_of_python(runtime: Runtime, model: str, values: Any, expected: Any):
    from torch_serving.codecs.python_values import PythonInvocation

    invocation = PythonInvocation(runtime.models.preload(model, CPU).method("forward"))
    if isinstance(expected, str):
        assert error_of(lambda: invocation.decode(values)).detail.startswith(expected)
        return
    (value, *_) = invocation.decode(values)
    pairs = (
        zip(value.values(), expected.values(), strict=True)
        if isinstance(value, dict)
        else [(value, expected)]
    )
    for given, wanted in pairs:
        assert given.dtype is wanted.dtype
        assert torch.equal(given, wanted)

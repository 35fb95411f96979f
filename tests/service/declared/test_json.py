"""JSON to models whose tensors are declared."""

import json
from typing import Any

import pytest
import torch

from tests.support.declared_service import CPU, error_of, run
from torch_serving.service.runtime import Runtime

INT64 = {"type": "tensor", "data_type": "int64"}


def inputs_of(runtime: Runtime, model: str, body: Any) -> Any:
    return runtime.models.preload(model, CPU).method("forward").decode(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("model", "body", "dtype"),
    [
        ("ids.pt", {"ids": [[1, 2, 3]]}, torch.int64),
        ("ids.pt", {"ids": [[1, 2]], "mask": [[True, False]]}, torch.int64),
        ("ids.pt", {"ids": {"type": "tensor", "value": [[1, 2]]}}, torch.int64),
        ("ids.pt", [{"type": "tensor", "shape": [1, 2], "value": [1, 2]}], torch.int64),
        ("ids.pt", [INT64 | {"value": [[1, 2]]}], torch.int64),
        ("row.pt", {"x": [[1, 2, 3, 4]]}, torch.float32),
        ("row.pt", {"type": "tensor", "value": [[1, 2, 3, 4]] * 3}, torch.float32),
        # the shape says which of two readings is meant
        ("row.pt", [[1, 2, 3, 4]], torch.float32),
        ("row.pt", [[[1, 2, 3, 4]]], torch.float32),
        ("ids.pt", [[[1, 2]], [[True, False]]], torch.int64),
        ("scalar.pt", [3], torch.float32),
        ("scalar.pt", 3, torch.float32),
        ("scalar.pt", {"x": 3}, torch.float32),
        ("complex.pt", {"x": [[1, 2], [3, 4]]}, torch.complex64),
        ("pair.pt", {"t": [[1], 2]}, torch.int16),
        ("float16.pt", {"input": [[1, 2]]}, torch.float16),
        ("bfloat16.pt", {"input": [[1, 2]]}, torch.bfloat16),
        ("float64.pt", {"input": [[1, 2]]}, torch.float64),
        ("float32.pt", {"input": [[1, 2]]}, torch.float32),
        ("mixed.pt", {"x": [[1, 2]]}, torch.float32),
        # an envelope means what it always did
        ("float16.pt", {"input": {"type": "tensor", "value": [[1, 2]]}}, torch.float32),
    ],
)
def test_numbers_take_the_declared_type_or_that_of_the_weights(
    runtime: Runtime, model: str, body: Any, dtype: torch.dtype
):
    first = inputs_of(runtime, model, body)[0]
    tensor = first[0] if isinstance(first, tuple) else first
    assert tensor.dtype is dtype


def test_keys_of_a_dictionary_have_their_own_types(runtime: Runtime):
    (d,) = inputs_of(runtime, "dict.pt", {"d": {"user": [1], "item": [1, 2]}})
    assert (d["user"].dtype, d["item"].dtype) == (torch.int64, torch.float32)


@pytest.mark.parametrize(
    ("model", "body", "description", "detail"),
    [
        (
            "row.pt",
            {"x": [[1, 2, 3]]},
            "Incompatible tensor shapes",
            "/x: expected shape [1…3, 4], got [1, 3]: dimension 1 is 3, not 4 (argument `x`",
        ),
        (
            "row.pt",
            {"type": "tensor", "value": [1, 2, 3, 4]},
            "Incompatible tensor shapes",
            "/value: expected shape [1…3, 4], got [4]: 1 dimension, not 2 (argument `x`",
        ),
        (
            "row.pt",
            [{"type": "tensor", "shape": [4, 4], "value": [0] * 16}],
            "Incompatible tensor shapes",
            "/0/value: expected shape [1…3, 4], got [4, 4]: dimension 0 is 4, not 1…3",
        ),
        (
            "row.pt",
            [INT64 | {"value": [[1, 2, 3, 4]]}],
            "Incompatible tensor data type",
            "/0/data_type: expected float32, got int64 (argument `x`",
        ),
        (
            "ids.pt",
            {"ids": [[1.5]]},
            "Incompatible tensor data type",
            "/ids/0/0: 1.5 does not fit int64",
        ),
        (
            "ids.pt",
            {"ids": [[1, 2, 3]], "mask": [[1, 0]]},
            "Incompatible tensor shapes",
            "argument `mask`: dimension 1 of `mask` is 2, and dimension 1 of `ids` is 3; "
            "both are `n`",
        ),
        (
            "dict.pt",
            {"d": {"item": [1]}},
            "Incompatible tensor shapes",
            "/d/item: expected shape [2], got [1]: dimension 0 is 1, not 2",
        ),
        (
            "list.pt",
            {"l": [[1, 2], [1]]},
            "Incompatible tensor shapes",
            "argument `l.1`: dimension 0 of `l.1` is 1, and dimension 0 of `l.0` is 2",
        ),
        (
            "row.pt",
            [[[1, 2, 3]]],
            "Incompatible tensor shapes",
            "/0: expected shape [1…3, 4], got [1, 3]: dimension 1 is 3, not 4 (argument `x`",
        ),
        (
            "scalar.pt",
            {"x": [1]},
            "Incompatible tensor shapes",
            "/x: expected shape [], got [1]: 1 dimension, not 0",
        ),
        (
            "float16.pt",
            {"input": [[1e6, 1]]},
            "Incompatible tensor data type",
            "/input/0/0: 1000000.0 does not fit float16",
        ),
    ],
)
def test_json_that_is_not_as_declared(
    runtime: Runtime, model: str, body: Any, description: str, detail: str
):
    error = error_of(lambda: run(runtime, model, body))
    assert (error.status, error.description) == (400, description)
    assert error.detail.startswith(detail)

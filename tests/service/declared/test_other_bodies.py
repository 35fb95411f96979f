"""Bodies that are no JSON, to models whose tensors are declared."""

from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.support.binary_bodies import NUMPY, SAFE, npy_of
from tests.support.declared_service import error_of, run
from tests.support.program_requests import oip
from torch_serving.codecs.media_types import OIP
from torch_serving.service.runtime import Runtime


@pytest.mark.parametrize(
    ("model", "body", "media_type", "detail"),
    [
        (
            "row.pt",
            npy_of(np.zeros((1, 3), np.float32)),
            NUMPY,
            "input `x`: expected shape [1…3, 4], got [1, 3]: dimension 1 is 3, not 4",
        ),
        ("row.pt", npy_of(np.zeros((1, 4))), NUMPY, "input `x`: expected float32, got float64"),
        (
            "ids.pt",
            safetensors.torch.save(
                {"ids": torch.zeros(1, 2).long(), "mask": torch.zeros(1, 3).bool()}
            ),
            SAFE,
            "argument `mask`: dimension 1 of `mask` is 3, and dimension 1 of `ids` is 2",
        ),
        (
            "dict.pt",
            safetensors.torch.save({"d.user": torch.zeros(1)}),
            SAFE,
            "input `d.user`: expected int64, got float32",
        ),
        (
            "row.pt",
            oip(x=("FP32", [1, 3], [1, 2, 3])),
            OIP,
            "input `x`: expected shape [1…3, 4], got [1, 3]: dimension 1 is 3, not 4",
        ),
        ("ids.pt", oip(ids=("FP32", [1, 1], [1])), OIP, "input `ids`: expected int64, got float32"),
        (
            "ids.pt",
            oip(ids=("INT64", [1, 1], [1]), mask=("BOOL", [1, 2], [True, False])),
            OIP,
            "argument `mask`: dimension 1 of `mask` is 2, and dimension 1 of `ids` is 1",
        ),
        (
            "list.pt",
            oip(**{"l.0": ("INT8", [1], [1]), "l.1": ("INT16", [1], [1])}),
            OIP,
            "input `l.1`: expected int8, got int16",
        ),
    ],
)
def test_other_bodies_that_are_not_as_declared(
    runtime: Runtime, model: str, body: Any, media_type: str, detail: str
):
    error = error_of(lambda: run(runtime, model, body, content_type=media_type))
    assert error.status == 400
    assert error.detail.startswith(detail)


@pytest.mark.parametrize(
    ("model", "body", "media_type"),
    [
        ("row.pt", npy_of(np.zeros((2, 4), np.float32)), NUMPY),
        ("ids.pt", safetensors.torch.save({"ids": torch.zeros(1, 2).long()}), SAFE),
        ("dict.pt", safetensors.torch.save({"d.user": torch.zeros(1).long()}), SAFE),
        ("row.pt", oip(x=("FP32", [1, 4], [1, 2, 3, 4])), OIP),
        ("list.pt", oip(**{"l.0": ("INT8", [1], [1]), "l.1": ("INT8", [1], [1])}), OIP),
    ],
)
def test_other_bodies_that_are_as_declared(
    runtime: Runtime, model: str, body: Any, media_type: str
):
    assert run(runtime, model, body, content_type=media_type)


def test_a_binary_body_of_one_input_has_the_declared_type(runtime: Runtime):
    body = np.array([1 + 2j], np.complex64).tobytes()
    error = error_of(lambda: run(runtime, "ids.pt", body, content_type=OIP, json_bytes=0))
    assert error.detail == "input `ids`: expected shape [-1, n], got [1]: 1 dimension, not 2"

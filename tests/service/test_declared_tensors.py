"""Requests to models whose tensors are declared, in all forms that a body may have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.support.binary_bodies import NUMPY, SAFE, npy_of
from tests.support.servables import scripted
from torch_serving.codecs.media_types import OIP
from torch_serving.config import Config
from torch_serving.errors import ServingError
from torch_serving.service.inference import invocation_of
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime

CPU = torch.device("cpu")
MODELS = {
    "ids.pt": (
        ("ids: Tensor, mask: Optional[Tensor] = None", "Tensor", "return ids"),
        '[input.ids]\ndata_type = "int64"\nshape = [-1, "n"]\n'
        '[input.mask]\ndata_type = "bool"\nshape = [-1, "n"]',
    ),
    "row.pt": (
        ("x: Tensor", "Tensor", "return x"),
        '[input.x]\ndata_type = "float32"\nshape = [{min = 1, max = 3}, 4]',
    ),
    "scalar.pt": (("x: Tensor", "Tensor", "return x"), "[input.x]\nshape = []"),
    "complex.pt": (("x: Tensor", "Tensor", "return x"), '[input.x]\ndata_type = "complex64"'),
    "dict.pt": (
        ("d: Dict[str, Tensor]", "Dict[str, Tensor]", "return d"),
        '[input.d.user]\ndata_type = "int64"\n[input."d.*"]\nshape = [2]',
    ),
    "list.pt": (
        ("l: List[Tensor]", "List[Tensor]", "return l"),
        '[input."l.*"]\ndata_type = "int8"\nshape = ["n"]',
    ),
    "pair.pt": (
        ("t: Tuple[Tensor, int]", "Tensor", "return t[0]"),
        '[input."t.0"]\ndata_type = "int16"',
    ),
}
INT64 = {"type": "tensor", "data_type": "int64"}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder = tmp_path_factory.mktemp("declared")
    for name, (source, toml) in MODELS.items():
        scripted(*source).save(folder / name)
        (folder / name).with_suffix(".toml").write_text(toml)
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.float32):
        module = torch.jit.script(torch.nn.Linear(2, 1).to(dtype))
        module.save(folder / f"{str(dtype).removeprefix('torch.')}.pt")
    mixed = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Linear(1, 1).half())
    torch.jit.trace(mixed[0], torch.zeros(1, 2)).save(folder / "only.pt")
    save_mixed(folder / "mixed.pt")
    return Runtime.build(Config(model_root=folder, device="cpu"))


def save_mixed(path: Path) -> None:
    class Mixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.zeros(1))
            self.b = torch.nn.Parameter(torch.zeros(1).half())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    torch.jit.script(Mixed()).save(path)


def run(runtime: Runtime, model: str, body: Any, **request: Any) -> bytes:
    method = runtime.models.preload(model, CPU).method("forward")
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    invocation = invocation_of(method, InferenceRequest(model, **request))
    return runtime.inference.run(invocation, body).body


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


def error_of(call: Callable[[], Any]) -> ServingError:
    with pytest.raises(ServingError) as caught:
        call()
    return caught.value


def oip(**tensors: tuple[str, list[int], list[Any]]) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": shape, "data": data}
            for name, (datatype, shape, data) in tensors.items()
        ]
    }


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

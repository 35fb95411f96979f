"""Requests to exported programs in all wire forms: what is taken, told and refused."""

import json
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.support.binary_bodies import NUMPY, SAFE, npy_of
from tests.support.exported_service import RESULTS, TENSORS, method_of, run, without_symbols
from tests.support.program_requests import KINDS, TREES, Wrong, envelope, oip, rows, safe
from tests.support.wrong_arguments import WRONG_ARGUMENTS
from tests.support.wrong_tensors import WRONG_TENSORS
from torch_serving.codecs.media_types import OIP, PLAIN
from torch_serving.errors import ServingError
from torch_serving.service.runtime import Runtime


@pytest.mark.parametrize(
    "wrong", [*WRONG_TENSORS, *WRONG_ARGUMENTS], ids=lambda wrong: f"{wrong.model}, {wrong.what}"
)
def test_what_is_refused(runtime: Runtime, wrong: Wrong) -> None:
    request = {"content_type": wrong.media_type} if wrong.media_type else {}
    with pytest.raises(ServingError) as raised:
        run(runtime, wrong.model, wrong.encoded(), **request)
    error = raised.value
    assert (error.status, error.description) == (400, wrong.description)
    assert without_symbols(error.detail) == wrong.detail


def inputs_of(runtime: Runtime, model: str, body: Any) -> list[Any]:
    return method_of(runtime, model).decode(json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        KINDS,
        list(KINDS.values()),
        {name: envelope(values) for name, values in KINDS.items()},
        [envelope(values, shape=[2]) for values in KINDS.values()],
        [
            envelope(values, data_type=data_type)
            for values, data_type in zip(
                KINDS.values(), ("bfloat16", "float16", "int32", "uint8", "bool"), strict=True
            )
        ],
    ],
)
def test_numbers_take_the_types_of_the_arguments(runtime: Runtime, body: Any) -> None:
    values = inputs_of(runtime, "kinds", body)
    assert [value.dtype for value in values] == [
        torch.bfloat16, torch.float16, torch.int32, torch.uint8, torch.bool,
    ]  # fmt: skip
    assert json.loads(run(runtime, "kinds", body))["code"] == 200


@pytest.mark.parametrize("model", ["fixed", "auto"])
@pytest.mark.parametrize(
    "body",
    [rows(3), [rows(3)], {"input": rows(3)}, envelope([0] * 12, shape=[3, 4]), [envelope(rows(3))]],
)
def test_one_argument_in_all_forms(runtime: Runtime, model: str, body: Any) -> None:
    assert json.loads(run(runtime, model, body))["result"]["shape"] == [3, 2]


@pytest.mark.parametrize("count", [1, 8])
def test_the_ends_of_a_range(runtime: Runtime, count: int) -> None:
    result = json.loads(run(runtime, "mlp", {"x": rows(count)}, accept=PLAIN))["result"]
    assert len(result["y"]) == count


@pytest.mark.parametrize(
    "constants",
    [
        {},
        {"scale": 0.5},
        {"scale": 0.5, "flag": True, "mode": "mean", "mask": None},
        {"mask": {"type": "none"}, "scale": {"type": "scalar", "value": 0.5}},
    ],
)
def test_constants_may_be_left_out_or_repeated(runtime: Runtime, constants: dict[str, Any]) -> None:
    expected = run(runtime, "mlp", {"x": rows(2)})
    assert run(runtime, "mlp", {"x": rows(2)} | constants) == expected
    assert run(runtime, "mlp", [rows(2), None, "mean"]) == expected
    assert run(runtime, "mlp", [rows(2)]) == expected


def test_trees_go_in_and_come_out(runtime: Runtime) -> None:
    expected = {
        "named": {"sum": [4.0, 6.0], "box": [3.0, 6.0]},
        "listed": [[2.0, 3.0], [4.0, 5.0]],
        "pair": {"left": [3.0, 4.0], "right": [1.0, 2.0]},
    }
    for body in (TREES, list(TREES.values()), {**TREES, "pair": {"left": [1, 2], "right": [3, 4]}}):
        result = json.loads(run(runtime, "trees", body, accept=PLAIN))["result"]
        assert result == list(expected.values())
    enveloped = json.loads(run(runtime, "trees", TREES))["result"]
    assert [enveloped[0]["type"], enveloped[2]["type"]] == ["generic_dict", "named_tuple"]


def test_trees_in_safetensors(runtime: Runtime) -> None:
    body = safe(**{name: torch.tensor(values).float() for name, values in TENSORS.items()})
    result = safetensors.torch.load(run(runtime, "trees", body, content_type=SAFE, accept=SAFE))
    assert {name: tensor.tolist() for name, tensor in result.items()} == RESULTS


def test_trees_in_v2(runtime: Runtime) -> None:
    body = oip(**{name: ("FP32", [2], values) for name, values in TENSORS.items()})
    outputs = json.loads(run(runtime, "trees", body, content_type=OIP))["outputs"]
    assert {each["name"]: each["data"] for each in outputs} == RESULTS


def test_binary_v2_and_npy(runtime: Runtime) -> None:
    ids = np.array([[1, 2], [3, 4]])
    mask = np.array([[True, False], [True, True]])
    entries = [
        {"name": name, "datatype": datatype, "shape": [2, 2],
         "parameters": {"binary_data_size": array.nbytes}}
        for name, datatype, array in (("ids", "INT64", ids), ("mask", "BOOL", mask))
    ]  # fmt: skip
    head = json.dumps({"inputs": entries}).encode()
    body = head + ids.tobytes() + mask.tobytes()
    response = run(runtime, "two", body, content_type=OIP, json_bytes=len(head))
    assert json.loads(response)["outputs"][0]["data"] == [1, 0, 3, 4]
    body = npy_of(np.zeros((3, 4), np.float32))
    assert run(runtime, "auto", body, content_type=NUMPY)


RAW = [
    ("fixed", 12, ""),
    ("auto", 8, ""),
    ("mlp", 4, ""),
    ("fixed", 8, "input `input`: expected shape [3, 4], got [8]: 1 dimension, not 2"),
    ("auto", 7, "input `input`: expected shape [S, 4], got [7]: 1 dimension, not 2"),
]


@pytest.mark.parametrize(("model", "count", "problem"), RAW)
def test_a_body_without_json_has_the_shape_that_is_known(
    runtime: Runtime, model: str, count: int, problem: str
) -> None:
    body = np.zeros(count, np.float32).tobytes()
    if not problem:
        assert run(runtime, model, body, content_type=OIP, json_bytes=0)
        return
    with pytest.raises(ServingError) as raised:
        run(runtime, model, body, content_type=OIP, json_bytes=0)
    assert without_symbols(raised.value.detail) == problem

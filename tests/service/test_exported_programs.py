"""Requests to exported programs in all wire forms: what is taken, told and refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.support.binary_bodies import NUMPY, SAFE, npy_of
from tests.support.exported_programs import PROGRAMS, save_program, save_programs
from tests.support.wrong_requests import (
    KINDS,
    TREES,
    WRONG,
    Wrong,
    envelope,
    oip,
    rows,
    safe,
)
from torch_serving.codecs.media_types import OIP, PLAIN
from torch_serving.codecs.oip.example import oip_request
from torch_serving.codecs.oip.metadata import model_metadata
from torch_serving.config import Config
from torch_serving.errors import ServingError
from torch_serving.http.openapi.argument_schemas import arguments as schema_of
from torch_serving.http.openapi.argument_schemas import components as argument_components
from torch_serving.http.openapi.body_schemas import MODEL
from torch_serving.http.openapi.result_schemas import components as result_components
from torch_serving.http.openapi.result_schemas import result as result_schema_of
from torch_serving.models.examples import given_example
from torch_serving.models.servable import Method
from torch_serving.service.description import describe, describe_method
from torch_serving.service.inference import invocation_of
from torch_serving.service.interfaces import InferenceRequest
from torch_serving.service.runtime import Runtime

CPU = torch.device("cpu")
SYMBOL = re.compile(r"\bs\d+\b")  # torch names them as it likes


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    folder: Path = tmp_path_factory.mktemp("exported")
    save_programs(folder)
    return Runtime.build(Config(model_root=folder, device="cpu"))


def method_of(runtime: Runtime, model: str) -> Method:
    return runtime.models.preload(f"{model}.pt2", CPU).main_method()


def run(runtime: Runtime, model: str, body: Any, **request: Any) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    invocation = invocation_of(
        method_of(runtime, model), InferenceRequest(f"{model}.pt2", **request)
    )
    return bytes(runtime.inference.run(invocation, text).body)


def without_symbols(value: Any) -> Any:
    return json.loads(SYMBOL.sub("S", json.dumps(value)))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.model}, {wrong.what}")
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


TENSORS = {
    "features.user": [1, 2], "features.item": [3, 4], "images.0": [1, 2], "images.1": [3, 4],
    "pair.left": [1, 2], "pair.right": [3, 4], "box.low": [1, 2],
}  # fmt: skip
RESULTS = {
    "output_0.sum": [4, 6], "output_0.box": [3, 6], "output_1.0": [2, 3], "output_1.1": [4, 5],
    "output_2.left": [3, 4], "output_2.right": [1, 2],
}  # fmt: skip


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


METADATA: dict[str, Any] = {
    "mlp": (
        [
            ("x", "FP32", [-1, 4]),
            ("mode", "BYTES", []),
            ("scale", "FP64", []),
            ("flag", "BOOL", []),
        ],
        [("y", "FP32", [-1, 2]), ("n", "INT64", []), ("pair.0", "FP32", [-1])],
    ),
    "two": (
        [("ids", "INT64", [-1, -1]), ("mask", "BOOL", [-1, -1])],
        [("output_0", "INT64", [-1, -1])],
    ),
    "trees": (
        [(name, "FP32", [2]) for name in TENSORS] + [("box.margin", "INT64", [])],
        [(name, "FP32", [2]) for name in RESULTS],
    ),
    "kinds": (
        [("b16", "BF16", [2]), ("f16", "FP16", [2]), ("i32", "INT32", [2]),
         ("u8", "UINT8", [2]), ("b", "BOOL", [2])],
        [("output_0", "BF16", [2]), ("output_1", "FP16", [2]), ("output_2", "INT32", [2]),
         ("output_3", "UINT8", [2]), ("output_4", "BOOL", [2])],
    ),
    "count": (
        [("x", "FP32", [2, 6]), ("count", "INT64", [])],
        [("output_0", "FP32", [2])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", METADATA)
def test_metadata_of_v2(runtime: Runtime, model: str) -> None:
    metadata = model_metadata(model, method_of(runtime, model))
    inputs, outputs = METADATA[model]
    for described, expected in ((metadata["inputs"], inputs), (metadata["outputs"], outputs)):
        found = [(each["name"], each["datatype"], each["shape"]) for each in described]
        assert found == expected
    assert "tensors" not in metadata["parameters"]  # nothing is open


def test_descriptions(runtime: Runtime) -> None:
    described = without_symbols(describe_method(method_of(runtime, "mlp"), None))
    rows_ = {"name": "S", "min": 1, "max": 8}
    x, mask, mode, *_ = described["arguments"]
    assert x == {
        "name": "x", "type": "Tensor", "required": True, "data_type": "float32",
        "shape": [rows_, 4],
    }  # fmt: skip
    assert mask == {"name": "mask", "type": "None", "required": False, "default": None}
    assert (mode["type"], mode["default"]) == ('Literal["mean"]', "mean")
    assert described["results"] == {
        "y": {"data_type": "float32", "shape": [rows_, 2]},
        "pair.0": {"data_type": "float32", "shape": [rows_]},
    }
    assert described["batching"] == {"state": "on", "max_batch": 8}


def test_schemas(runtime: Runtime) -> None:
    signature = method_of(runtime, "mlp").signature
    (named, listed) = schema_of(signature)["anyOf"]
    assert named["required"] == ["x"]
    assert (listed["minItems"], listed["maxItems"]) == (1, 5)
    assert {"const": 0.5} in named["properties"]["scale"]["anyOf"]
    members = result_schema_of(signature.result)["properties"]["value"]["properties"]
    assert members["y"]["properties"]["shape"]["prefixItems"] == [
        {"type": "integer", "minimum": 1, "maximum": 8},
        {"type": "integer", "minimum": 2, "maximum": 2},
    ]
    assert members["y"]["properties"]["data_type"] == {"const": "float32"}


TOML: list[tuple[str, str, str]] = [
    ('data_type = "float32"', "[S, 4]", "1…8"),
    ("shape = [{min = 2, max = 3}, -1]", "[S, 4]", "2…3"),
    ("shape = [-1, 4]", "[S, 4]", "1…8"),
    ('shape = ["n", 4]', "[S, 4]", "1…8"),
    ('shape = [{name = "n", max = 99}, 4]', "[S, 4]", "1…8"),
    ("shape = [-1, 5]", "`x`: a dimension is 4 in the model, not 5", ""),
    ("shape = [4]", "`x`: it has 2 dimensions in the model, not 1", ""),
    ('data_type = "int64"', "`x` is float32, not int64", ""),
]


@pytest.mark.parametrize(("toml", "expected", "sizes"), TOML)
def test_declarations_narrow_what_a_program_tells(
    tmp_path: Path, toml: str, expected: str, sizes: str
) -> None:
    save_program("mlp", tmp_path)
    (tmp_path / "mlp.toml").write_text(f"[input.x]\n{toml}\n")
    runtime = Runtime.build(Config(model_root=tmp_path, device="cpu"))
    if not sizes:
        with pytest.raises(ServingError) as raised:
            method_of(runtime, "mlp")
        assert raised.value.detail == f"`mlp.pt2`: mlp.toml line 1: {expected}"
        return
    constraint = method_of(runtime, "mlp").signature.arguments[0].spec.constraint
    assert constraint is not None
    assert without_symbols(constraint.shape_text()) == expected
    assert constraint.shape is not None
    assert constraint.shape[0].sizes == sizes


BODIES: list[tuple[str, Any]] = [
    ("mlp", {"x": rows(2)}),
    ("mlp", {"x": rows(8), "scale": 0.5, "flag": True, "mode": "mean", "mask": None}),
    ("mlp", [rows(1), None, "mean"]),
    ("fixed", [rows(3)]),
    ("fixed", rows(3)),
    ("two", {"ids": [[1, 2]], "mask": [[True, False]]}),
    ("count", [rows(2, 6), 3]),
    ("kinds", KINDS),
    ("trees", TREES),
    ("trees", {**TREES, "images": {"type": "tensor_list", "value": [envelope([1, 2])] * 2}}),
    ("trees", {**TREES, "box": {"low": [1, 2], "margin": 3}}),
]


@pytest.mark.parametrize(("model", "body"), BODIES)
def test_schemas_hold_what_is_taken(runtime: Runtime, model: str, body: Any) -> None:
    signature = method_of(runtime, model).signature
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    for schema, value in (
        (schema_of(signature), body),
        (result_schema_of(signature.result), json.loads(run(runtime, model, body))["result"]),
    ):
        document = {
            **schema,
            "components": {"schemas": argument_components() | result_components()},
        }
        jsonschema_rs.validator_for(document).validate(value)


@pytest.mark.parametrize("model", PROGRAMS)
def test_examples_work_in_both_protocols(runtime: Runtime, model: str) -> None:
    servable = runtime.models.preload(f"{model}.pt2", CPU)
    example = given_example(servable)
    if example is None:
        assert model == "trees"  # its classes are not read
        example = json.dumps(TREES).encode()
    assert run(runtime, model, example)
    request = oip_request(servable.main_method().signature, json.loads(example))
    assert request is not None
    assert run(runtime, model, request, content_type=OIP)


def test_descriptions_say_why_requests_run_one_by_one(runtime: Runtime) -> None:
    described = describe(runtime.models.preload("fixed.pt2", CPU), {})
    assert described["unbatched"] == "dimension 0 of `input` is 3"
    assert "unbatched" not in describe(runtime.models.preload("mlp.pt2", CPU), {})
    assert described.keys() <= MODEL["properties"].keys()

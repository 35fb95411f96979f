"""What is said of exported programs: metadata, descriptions, schemas, examples."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.exported_programs import PROGRAMS, save_program
from tests.support.exported_service import CPU, RESULTS, TENSORS, method_of, run, without_symbols
from tests.support.program_requests import KINDS, TREES, envelope, rows
from torch_serving.codecs.media_types import OIP
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
from torch_serving.service.description import describe, describe_method
from torch_serving.service.runtime import Runtime

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

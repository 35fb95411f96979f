"""What is declared of tensors is told: by schemas, metadata and descriptions, and in examples."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.declared_models import MODELS, loaded, save, tensor_like
from torch_serving.cli.inspect import lines_of
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.oip.invocation import OipInvocation
from torch_serving.codecs.oip.metadata import model_config, model_metadata
from torch_serving.codecs.signature import Signature
from torch_serving.errors import ServingError
from torch_serving.http.openapi import argument_schemas, oip_schemas
from torch_serving.http.openapi.context import example
from torch_serving.models.examples import find_examples
from torch_serving.models.servable import Servable
from torch_serving.service.description import describe
from torch_serving.tensor_constraint import Dimension, TensorConstraint

jsonschema_rs = pytest.importorskip("jsonschema_rs")

IMAGE = {"type": "image", "value": "aGVsbG8="}
# What a schema and the decoder agree on; values of `x` by name.
VALUES = [
    1,
    True,
    1.5,
    [],
    [1],
    [1, 2],
    [1, 2, 3],
    [1.5, 2],
    [300, 2],
    [[1]],
    [[1, 2, 3, 4]],
    [[1, 2, 3, 4]] * 3,
    [[1, 2, 3, 4]] * 4,
    [[1, 2, 3]],
    [[], []],
    [[[1, 2], [3, 4]], [[1, 2], [3, 4]]],
    [[[1, 2], [3, 4]]],
    "NaN",
    None,
    tensor_like([[1, 2, 3, 4]]),
    tensor_like([1, 2, 3, 4], shape=[1, 4]),
    tensor_like([1, 2, 3, 4]),
    tensor_like([1, 2]),
    tensor_like([1, 2], data_type="float64"),
    tensor_like([1, 2], data_type="int8"),
    tensor_like(1),
    tensor_like(1, shape=[]),
    tensor_like([1], shape=[]),
    tensor_like([[[1, 2]], [[3, 4]]]),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("declared")
    save(folder)
    return folder


def validator(schema: dict[str, Any]) -> Any:
    components = {**argument_schemas.components(), **oip_schemas.components()}
    return jsonschema_rs.validator_for({**schema, "components": {"schemas": components}})


def shared(servable: Servable) -> Signature:
    """The signature as other workers have it."""
    data = json.loads(json.dumps(servable.entry()["methods"]["forward"]))
    return Signature.from_dict(data)


def accepts(decode: Any, body: Any) -> bool:
    try:
        decode(json.dumps(body).encode())
    except ServingError:
        return False
    return True


@pytest.mark.parametrize("name", ["rows.pt", "scalar.pt", "shape.pt", "type.pt", "complex.pt"])
def test_schemas_take_what_the_decoder_takes(folder: Path, name: str):
    servable = loaded(folder / name)
    takes = validator(argument_schemas.arguments(shared(servable)))
    for value in VALUES:
        body = {"x": value}
        assert takes.is_valid(body) == accepts(servable.method("forward").decode, body), value


@pytest.mark.parametrize("name", MODELS)
def test_examples_work_and_fit_the_schemas(folder: Path, name: str):
    servable = loaded(folder / name)
    method = servable.method("forward")
    signature = shared(servable)
    takes = validator(argument_schemas.arguments(signature))
    ((_, found),) = find_examples(servable, ["forward"])
    assert takes.is_valid(json.loads(found))
    method.run(method.decode(found))
    guessed = example(signature)
    assert takes.is_valid(guessed)
    method.decode(json.dumps(guessed).encode())
    takes = validator(oip_schemas.model_request(signature))
    guessed = oip_schemas.example(signature)
    if name not in ("complex.pt", "dict.pt", "list.pt"):  # without datatype, or fixed names
        assert takes.is_valid(guessed)
        OipInvocation(method, name, None).decode(json.dumps(guessed).encode())


@pytest.mark.parametrize("side", [200, 1 << 31, 1 << 59])
def test_a_large_tensor_is_not_shown(side: int):
    """A document with all its numbers would take gigabytes."""
    shape = (Dimension(side, side), Dimension(side, side))
    spec = TypeSpec("tensor", "Tensor", constraint=TensorConstraint("float32", shape))
    signature = Signature((Argument("x", spec),), spec)
    assert len(json.dumps([example(signature), oip_schemas.example(signature)])) < 1000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ids.pt", {"ids": [[0, 0, 0, 0]], "mask": [[False] * 4]}),
        ("rows.pt", {"x": [[0, 0, 0, 0]]}),
        ("scalar.pt", {"x": 0}),
        ("complex.pt", {"x": [[[0, 0]] * 4] * 2}),
        ("dict.pt", {"d": {"user": [0], "item": [0]}}),
        ("list.pt", {"l": [[[0] * 4] * 2]}),
        ("pair.pt", {"t": [[0], 1]}),
    ],
)
def test_the_first_example_is_the_declared_one(folder: Path, name: str, expected: Any):
    ((_, found),) = find_examples(loaded(folder / name), ["forward"])
    assert json.loads(found) == expected


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("ids.pt", [("ids", "INT64", [-1, -1]), ("mask", "BOOL", [-1, -1]), ("o", "INT8", [-1])]),
        ("rows.pt", [("x", "FP32", [-1, 4])]),
        ("scalar.pt", [("x", "INT8", [])]),
        ("shape.pt", [("x", "FP32", [2])]),
        ("dict.pt", [("d.user", "INT64", [-1]), ("d.item", "INT64", [-1])]),
        ("pair.pt", [("t.0", "INT16", [1]), ("t.1", "INT64", [])]),
    ],
)
def test_metadata(folder: Path, name: str, inputs: list[tuple[str, str, list[int]]]):
    method = loaded(folder / name).method("forward")
    metadata = model_metadata(name, method)
    found = [(each["name"], each["datatype"], each["shape"]) for each in metadata["inputs"]]
    assert found == inputs
    dims = [each["dims"] for each in model_config(name, method)["input"]]
    assert dims == [shape for _, _, shape in inputs]


@pytest.mark.parametrize(
    ("datatype", "shape", "ok"),
    [("INT64", [1, 2], True), ("INT32", [1, 2], False), ("INT64", [2], False)],
)
def test_schemas_of_the_open_inference_protocol(
    folder: Path, datatype: str, shape: list[int], ok: bool
):
    servable = loaded(folder / "ids.pt")
    takes = validator(oip_schemas.model_request(shared(servable)))
    mask = {"name": "mask", "datatype": "BOOL", "shape": [1, 2], "data": [True, True]}
    ids = {"name": "ids", "datatype": datatype, "shape": shape, "data": [0, 0]}
    body = {"inputs": [ids, mask]}
    assert takes.is_valid(body) == ok
    assert accepts(OipInvocation(servable.method("forward"), "m", None).decode, body) == ok


@pytest.mark.parametrize(("datatype", "ok"), [("INT64", True), ("FP32", False)])
def test_declared_keys_have_schemas_of_their_own(folder: Path, datatype: str, ok: bool):
    servable = loaded(folder / "dict.pt")
    takes = validator(oip_schemas.model_request(shared(servable)))
    tensor = {"name": "d.user", "datatype": datatype, "shape": [1], "data": [0]}
    assert takes.is_valid({"inputs": [tensor]}) == ok
    assert takes.is_valid({"inputs": [tensor | {"name": "d.other"}]})
    takes = validator(argument_schemas.arguments(shared(servable)))
    assert takes.is_valid({"d": {"user": [1 if ok else 1.5]}}) == ok
    assert takes.is_valid({"d": {"other": [1.5]}})


def test_images_that_can_be_such_a_tensor(folder: Path):
    for name, ok in (("image.pt", True), ("rows.pt", False), ("scalar.pt", False)):
        takes = validator(argument_schemas.arguments(shared(loaded(folder / name))))
        assert takes.is_valid({"x": IMAGE}) == ok
        assert not takes.is_valid({"x": IMAGE | {"data_type": "uint8"}})


def test_a_flat_complex_tensor_has_pairs(folder: Path):
    servable = loaded(folder / "complex.pt")
    takes = validator(argument_schemas.arguments(shared(servable)))
    for value in (tensor_like([1, 2, 3, 4], shape=[2, 1]), tensor_like([[[1, 2]], [[3, 4]]])):
        assert takes.is_valid({"x": value})
        assert accepts(servable.method("forward").decode, {"x": value})


def test_descriptions(folder: Path):
    servable = loaded(folder / "ids.pt")
    description = describe(servable, dict(find_examples(servable, ["forward"])))
    ids, mask, o = description["methods"]["forward"]["arguments"]
    assert ids == {
        "name": "ids",
        "type": "Tensor",
        "required": True,
        "data_type": "int64",
        "shape": [-1, "n"],
    }
    assert (mask["data_type"], o["data_type"], "shape" in o) == ("bool", "int8", False)
    text = "\n".join(lines_of(Path("ids.pt"), {"file_bytes": 1, **description}))
    assert 'ids   Tensor int64 [-1, "n"]  required' in text
    described = describe(loaded(folder / "rows.pt"), {})["methods"]["forward"]["arguments"]
    assert described[0]["shape"] == [{"min": 1, "max": 3}, 4]
    servable = loaded(folder / "dict.pt")
    description = describe(servable, {})
    (d,) = description["methods"]["forward"]["arguments"]
    declared = {"data_type": "int64", "shape": ["n"]}
    assert d["tensors"] == {"d.user": declared, "d.item": declared}
    text = "\n".join(lines_of(Path("dict.pt"), {"file_bytes": 1, **description}))
    assert '\n  d.user  int64 ["n"]' in text

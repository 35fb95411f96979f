"""The document matches the application: its routes, its errors, and the types of models."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.inspect
import pytest
import torch

from tests.support.fetch import fetch
from tests.support.json_values import enveloped, plain
from tests.support.process import Process
from tests.support.typed_models import CASES, Case, file_of
from torch_serving import errors
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory
from torch_serving.codecs.signature import Signature
from torch_serving.config import Config
from torch_serving.errors import ServingError
from torch_serving.http import app
from torch_serving.http.interfaces import Route
from torch_serving.http.openapi.context import DocumentContext, example, keys_of, loaded_methods
from torch_serving.http.openapi.document import document
from torch_serving.http.openapi.number_schemas import ELEMENTS, element
from torch_serving.http.openapi.operation import Operation
from torch_serving.models.loader import load
from torch_serving.service.runtime import Runtime

jsonschema_rs = pytest.importorskip("jsonschema_rs")
METHODS = {"get", "post", "put", "delete", "patch"}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return Runtime.build(Config(model_root=tmp_path_factory.mktemp("root")))


@pytest.fixture(scope="module")
def routes(runtime: Runtime) -> list[Route]:
    return app.routes_of(runtime, None, lambda: True, app.console_of(runtime))


@pytest.fixture(scope="module")
def operations(routes: list[Route]) -> list[Operation]:
    return [operation for route in routes for operation in route.operations]


def registered(application: Any) -> dict[str, set[str]]:
    """The methods of each route, without those that Falcon adds."""
    return {
        route.path: {m.method.lower() for m in route.methods if not m.internal} & METHODS
        for route in falcon.inspect.inspect_routes(application)
    }


def test_every_route_has_its_operations_and_no_other(runtime: Runtime, routes: list[Route]):
    described = {
        route.template: {operation.method for operation in route.operations} for route in routes
    }
    assert described == registered(app.create_app(runtime, console=app.console_of(runtime)))


def test_paths_lead_to_the_routes_that_they_describe(runtime: Runtime, routes: list[Route]):
    """The router finds the route of each path, with a value for each parameter."""
    router = app.create_app(runtime, console=app.console_of(runtime))._router
    for route in routes:
        for operation in route.operations:
            path = operation.path.replace("{", "").replace("}", "")
            _, _, _, found = router.find(path, None)
            assert found == route.template, operation.path


def test_paths_allow_their_methods(uvicorn_server: Process, operations: list[Operation]):
    """Also paths that share a route, whose resource parses the path."""
    by_path: dict[str, set[str]] = {}
    for operation in operations:
        methods = by_path.setdefault(operation.path, set())
        methods |= {"GET", "HEAD"} if operation.method == "get" else {operation.method.upper()}
    known = {"identifier": "echo.pt", "model": "echo.pt", "version": "1", "name": "start.js"}
    for path, methods in by_path.items():
        target = path.format(**known)
        status, headers, _ = fetch(uvicorn_server.url, target, method="OPTIONS")
        assert (status, set(headers["allow"].split(", "))) == (200, methods), path
        other = "GET" if "GET" not in methods else "POST"
        status, headers, _ = fetch(uvicorn_server.url, target, method=other)
        if path == "/models/{identifier}":  # a POST there is an unknown action
            assert status == 404
        else:
            allowed = set(headers["allow"].split(", ")) - {"OPTIONS"}
            assert (status, allowed) == (405, methods), path


def leaves(error: type[ServingError]) -> Iterator[type[ServingError]]:
    for each in error.__subclasses__():
        yield from leaves(each)
        yield each


def test_every_error_appears(operations: list[Operation]):
    """In an operation, or in the responses that belong to none."""
    found = document(operations, DocumentContext([], [], ["cpu"], [], needs_key=True))
    described = set()
    for path in found["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                described |= {(int(status), text) for text in response["description"].split("; ")}
    outside = found["components"]["responses"]
    assert set(outside) == {"NotFound", "MethodNotAllowed"}
    described.add((405, outside["MethodNotAllowed"]["description"]))
    known = {(each.status, each.description) for each in leaves(ServingError)}
    of_python = errors.UnsupportedContentType
    unseen = {(500, errors.ServerError.description), (415, of_python.description)}
    assert known - unseen <= described
    assert described - {(200, "OK")} <= known


def test_errors_below_v2_have_the_protocols_schema(operations: list[Operation]):
    """Each response takes the errors of its classes, and no other."""
    found = document(operations, DocumentContext([], [], ["cpu"], []))
    operation = found["paths"]["/v2/models/{model}/infer"]["post"]
    for status, response in operation["responses"].items():
        if status != "200":
            schema = response["content"]["application/json"]["schema"]
            takes = jsonschema_rs.validator_for({**schema, "components": found["components"]})
            for description in response["description"].split("; "):
                assert takes.is_valid({"error": description})
                assert takes.is_valid({"error": f"{description}: something"})
            assert not takes.is_valid({"error": "Another"})


def test_operations_have_unique_names(operations: list[Operation]):
    names = [each.name for each in operations]
    assert len(names) == len(set(names))


def test_keys_are_required_where_they_are_needed(operations: list[Operation]):
    context = DocumentContext([], [], ["cpu"], [], True, frozenset({"/healthcheck"}))
    found = document(operations, context)
    assert set(found["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    assert found["security"] == [{"bearer": []}, {"apiKey": []}]
    health = found["paths"]["/healthcheck"]["get"]
    assert health["security"] == []
    assert "401" not in health["responses"]
    assert "401" in found["paths"]["/serve"]["post"]["responses"]
    assert "security" not in document(operations, context._replace(needs_key=False))


# numbers that a data type takes, and others
@pytest.mark.parametrize(
    ("data_type", "taken", "refused"),
    [
        ("bool", [True, False, 0, 1], [2, -1, 0.5, "NaN"]),
        ("uint8", [0, 255], [-1, 256, 0.5, True]),
        ("int64", [-(2**63), 2**63 - 1], [-(2**63) - 1, 2**63]),
        ("uint64", [0, 2**64 - 1], [-1, 2**64]),
        ("float16", [65504, 65519.9, "NaN", "Infinity"], [65520, -65520, "nan", True]),
        ("float32", [3.4028235e38, 3.4028235677973366e38], [3.402823567797337e38, None]),
        ("bfloat16", [3.3895314e38], [3.4e38]),
        ("float64", [1.7976931348623157e308, 0.1], ["1"]),
        ("complex64", [0.5, "NaN"], [3.5e38]),
    ],
)
def test_numbers(data_type: str, taken: list[Any], refused: list[Any]):
    schema = jsonschema_rs.validator_for(element(data_type))
    assert [each for each in taken if not schema.is_valid(each)] == []
    assert [each for each in refused if schema.is_valid(each)] == []


def test_numbers_are_what_the_decoder_takes():
    """At the ends of each type's range, schema and decoder agree."""
    make = ValueFactory(tensor=lambda array: array, bfloat16=lambda array: array)
    decoder = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], make)
    for data_type in ELEMENTS:
        pairs = 2 if data_type.startswith("complex") else 1
        schema = element(data_type)
        branches = schema.get("anyOf", [schema])
        for limit in {*limits_of(branches), 0, 1, -1, 2, 0.5}:
            allowed = jsonschema_rs.validator_for(schema).is_valid(limit)
            body = {"type": "tensor", "data_type": data_type, "value": [limit] * pairs}
            assert is_taken(decoder, [body]) == allowed, (data_type, limit)


def limits_of(branches: list[dict[str, Any]]) -> Iterator[float]:
    for branch in branches:
        for name, limit in branch.items():
            if name.lower().endswith(("minimum", "maximum")):
                isint = isinstance(limit, int)
                yield from (
                    (limit - 1, limit, limit + 1)
                    if isint
                    else (
                        math.nextafter(limit, 0),
                        limit,
                        math.nextafter(limit, math.copysign(math.inf, limit)),
                    )
                )


def is_taken(decoder: Any, body: dict[str, Any]) -> bool:
    try:
        decoder.decode(json.dumps(body).encode())
    except ServingError:
        return False
    return True


def schema_for(signature: Signature, part: str) -> Any:
    """A validator of a method's arguments or result."""
    published = {"identifier": "m", "loaded_s": 0, "methods": {"forward": signature.to_dict()}}
    methods = loaded_methods([published], ["m"])
    found = document([], DocumentContext(["m"], methods, ["cpu"], []))
    reference = {"$ref": f"#/components/schemas/m.forward.{part}"}
    return jsonschema_rs.validator_for({**reference, "components": found["components"]})


UNSURE = (
    [], {}, {"unknown": 1}, [{"type": "unknown", "value": 1}], 0, "cpu", True, [[[["x"]]]], [0],
    [1, 2], [[1, 2]], [[1], [2]], [[[1], [2]]], [[]], [None], ["cpu"],
    ["cpu", "cpu"], [["cpu"], ["cpu"]],
    {"type": 1}, [{"a": 1}], [{"type": 1, "a": 1}], [[1, {"type": "tensor", "value": [1]}]],
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_arguments_and_results_of_each_type(typed_models: Path, case: Case):
    """Values of each type with and without envelopes, and values of other types."""
    method = load(typed_models / file_of(case.type), torch.device("cpu")).method("forward")
    (argument,) = method.signature.arguments
    takes = schema_for(method.signature, "arguments")
    for body in ([enveloped(case.value)], {argument.name: plain(case.value)}):
        assert is_taken(method, body), body
        assert [str(each) for each in takes.iter_errors(body)] == []
    for body in UNSURE:
        assert is_taken(method, body) == takes.is_valid(body), body
    shown = example(method.signature)
    assert takes.is_valid(shown)
    assert is_taken(method, shown)
    inputs = method.decode(json.dumps([enveloped(case.value)]).encode())
    response = json.loads(method.encode(method.run(inputs)))["result"]
    assert [
        str(each) for each in schema_for(method.signature, "result").iter_errors(response)
    ] == []


def test_signatures_are_read_as_they_were_written(typed_models: Path):
    for case in CASES:
        signature = (
            load(typed_models / file_of(case.type), torch.device("cpu")).method("forward").signature
        )
        again = Signature.from_dict(json.loads(json.dumps(signature.to_dict())))
        assert str(again) == str(signature)
        assert again.to_dict() == signature.to_dict()


def test_keys_of_components():
    assert keys_of(["a b.pt", "a_b.pt", "ä.pt", "x/y.pt"]) == [
        *("a_b.pt", "a_b.pt_2", "_.pt", "x_y.pt")
    ]

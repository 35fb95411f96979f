"""Every type of the contract, in and out, over HTTP and in-process: the same bytes."""

import http.client
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import torch

from tests.support import typed_models
from tests.support.client import LIMIT_S, scalar, string
from tests.support.json_values import enveloped, plain
from tests.support.process import Process
from tests.support.typed_models import (
    CASES,
    Case,
    Known,
    Point,
    file_of,
    floats,
)
from torch_serving.engine.engine import Engine
from torch_serving.errors import ServingError
from torch_serving.models.loader import load

CPU = torch.device("cpu")
PREFIX = b'{"code": 200, "message": "OK", "description": "Success", "result": '


def expected(value: Any) -> bytes:
    text = json.dumps(enveloped(value), separators=(",", ":"), ensure_ascii=False)
    return PREFIX + text.encode() + b"}"


class Front:
    """Both ways to ask; their responses must be the same."""

    def __init__(self, root: Path, url: str) -> None:
        self._root = root
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=LIMIT_S
        )
        self._engine = Engine(1)

    def post(self, identifier: str, body: Any, method: str = "forward") -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        query = urlencode({"servable_identifier": identifier, "method": method})
        self._connection.request("POST", f"/serve?{query}", data)
        with self._connection.getresponse() as received:
            response = received.status, received.read()
        assert self._in_process(identifier, data, method, response) == response
        return response

    def _in_process(
        self, identifier: str, body: bytes, method: str, response: tuple[int, bytes]
    ) -> tuple[int, bytes]:
        document = json.loads(response[1])
        try:
            servable = load(self._root / identifier, CPU)
            return 200, self._engine.run(servable.method(method), body)
        except ServingError as error:
            found = error.to_dict()
            # the server adds which of its models it was
            found["detail"] = (
                found["detail"] if found["detail"] in document.get("detail", "") else "other"
            )
            assert document | {"detail": found["detail"]} == found
            return error.status, response[1]

    def result(self, identifier: str, body: Any, method: str = "forward") -> Any:
        status, response = self.post(identifier, body, method)
        assert status == 200, response
        return json.loads(response)["result"]

    def refusal(self, identifier: str, body: Any, method: str = "forward") -> tuple[str, str]:
        status, response = self.post(identifier, body, method)
        assert status == 400, response
        document = json.loads(response)
        return document["description"], document["detail"]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def front(typed_models: Path, start_for_module: Callable[..., Process]) -> Iterator[Front]:
    flags = ["--model-capacity", "400", "--threads", "2"]
    process = start_for_module(typed_models, "--port", "0", *flags)
    front = Front(typed_models, process.url)
    yield front
    front.close()


def test_the_table_is_large():
    assert len({case.type for case in CASES}) >= 150


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case.type}" for i, case in enumerate(CASES)])
def test_every_type_comes_back(front: Front, case: Case):
    identifier = file_of(case.type)
    response = (200, expected(case.value))
    assert front.post(identifier, [enveloped(case.value)]) == response
    assert front.post(identifier, {"v": enveloped(case.value)}) == response
    assert front.post(identifier, {"v": plain(case.value)}) == response


FULL = [7, "b", 1.5, False, 3]
DEFAULTS = [scalar(7, "int64"), string("a"), scalar(0.5, "float64"), scalar(True, "bool")]


def test_defaults(front: Front):
    none = {"type": "none"}
    assert front.result("defaults.pt", [scalar(7, "int")]) == [*DEFAULTS, none]
    assert front.result("defaults.pt", {"n": 7}) == [*DEFAULTS, none]
    assert front.result("defaults.pt", {"o": 1, "n": 7}) == [*DEFAULTS, scalar(1, "int64")]
    everything = dict(zip("nsfbo", FULL, strict=True))
    assert front.result("defaults.pt", everything) == enveloped(FULL)
    assert front.result("defaults.pt", enveloped(FULL)) == enveloped(FULL)
    two = [scalar(7, "int"), string("c")]
    assert front.result("defaults.pt", two)[1] == string("c")


def test_methods(front: Front):
    assert front.result("defaults.pt", [scalar(7, "int")], "twice") == scalar(14, "int64")
    assert front.result("defaults.pt", {"n": 7}, "twice") == scalar(14, "int64")
    for unknown in ("thrice", "_half", "__init__", "training", "é"):
        description, detail = front.refusal("defaults.pt", {"n": 7}, unknown)
        assert description == "Invalid parameter"
        assert detail == f"`method`: the model has forward, twice; got `{unknown}`"


@pytest.mark.parametrize(
    ("body", "description", "detail"),
    [
        (b"{}", "Invalid Input JSON", "argument `n`: int is missing"),
        (b'{"s": "b"}', "Invalid Input JSON", "argument `n`: int is missing"),
        (b'{"n": 1, "m": 2}', "Invalid Input JSON", "/m: unknown argument; expected 1 to 5"),
        (b'{"N": 1}', "Invalid Input JSON", "/N: unknown argument"),
        (b'{"n": 1, "n": 1}', "Invalid JSON", "byte 9: a key stands twice"),
        (b'{"n": 1, "\\u006e": 1}', "Invalid JSON", "byte 9: a key stands twice"),
        (b'{"n": null}', "Incompatible tensor data type", "/n: "),
        (b'{"n": "1"}', "Incompatible tensor data type", "/n: "),
        (b'{"n": 1.5}', "Incompatible tensor data type", "/n: 1.5 does not fit int64"),
        (b'{"n": 9223372036854775808}', "Incompatible tensor data type", "/n: "),
        (b'{"n": 1, "s": 2}', "Invalid Input JSON", "/s: "),
        (b'{"n": 1, "f": "x"}', "Incompatible tensor data type", "/f: "),
        (b'{"n": 1, "f": 1e400}', "Incompatible tensor data type", "/f: "),
        (b'{"n": 1, "b": 2}', "Incompatible tensor data type", "/b: "),
        (b'{"n": 1, "o": [2]}', "Invalid Input JSON", "/o: "),
        (b"[]", "Invalid Input JSON", "expected 1 to 5 arguments"),
        (b"[null]", "Invalid Input JSON", "/0: "),
    ],
)
def test_wrong_named_arguments(front: Front, body: bytes, description: str, detail: str):
    found = front.refusal("defaults.pt", body)
    assert found[0] == description
    assert detail in found[1]


def test_optional_arguments(front: Front):
    none = {"type": "none"}
    for nothing in (None, none):
        assert front.result("optional.pt", [nothing]) == scalar(-1, "int64")
        assert front.result("optional.pt", [nothing, nothing]) == scalar(-1, "int64")
        assert front.result("optional.pt", {"a": nothing, "b": nothing}) == scalar(-1, "int64")
    assert front.result("optional.pt", {"a": 4, "b": "x"}) == scalar(4, "int64")
    assert "`a`: Optional[int] is missing" in front.refusal("optional.pt", {"b": None})[1]
    assert "/0/type" in front.refusal("optional.pt", [{"type": "nothing"}])[1]


@pytest.mark.parametrize("name", ["Red", "red", "", "BLUE", "1", 1, None])
def test_wrong_members_of_enumerations(front: Front, name: object):
    for body in ([{"type": "enum", "value": name}], {"v": {"type": "enum", "value": name}}):
        description, detail = front.refusal("Color.pt", body)
        assert description == "Invalid Input JSON"
        assert "/value: expected one of RED, DARK_GREEN, got " in detail


@pytest.mark.parametrize(
    ("identifier", "value"),
    [
        ("union_of_enum.pt", {"type": "enum", "value": "RED"}),
        ("union_of_list.pt", [{"type": "enum", "value": "RED"}]),
        ("union_of_tuple.pt", enveloped(Point(floats(1), 2))),
    ],
)
def test_unions_of_types_that_torch_knows_by_name(front: Front, identifier: str, value: object):
    """They work or are refused as such; the request that fits is no failure of the model."""
    status, response = front.post(identifier, [value])
    if status == 400:
        assert json.loads(response)["description"] == "Invalid servable identifier"
    else:
        assert front.result(identifier, [value]) == value
        assert front.result(identifier, [scalar(3, "int")]) == scalar(3, "int64")


def test_lists_of_several_types_for_any(front: Front):
    """torch takes no such list: that is the fault of the request."""
    status, response = front.post("Any.pt", [[scalar(1, "int"), string("b")]])
    assert status in (200, 400), response


def test_enumerations_whose_class_this_process_knows(tmp_path: Path):
    path = tmp_path / "known.pt"
    typed_models.scripted("x: Tensor", "Known", "return Known.RED").save(path)
    response = Engine(1).run(load(path, CPU).method("forward"), b'{"x": 1}')
    assert response == expected(Known.RED)


def test_objects_of_classes_are_refused(front: Front):
    body = [scalar(1, "int")]
    description, detail = front.refusal("box.pt", body)
    assert description == "Invalid servable identifier"
    name = "__torch__.tests.support.typed_models.Box"
    assert f"argument `v`: values of type {name} can't be made" in detail
    description, detail = front.refusal("box_result.pt", body)
    assert description == "Invalid servable identifier"
    assert "result: values of type __torch__.tests.support.typed_models.Box can't be made" in detail


def test_other_results(front: Front):
    assert front.result("any_enum.pt", {"x": 1}) == {"type": "enum", "value": "RED"}
    for body in ([], {}):
        assert front.result("no_arguments.pt", body) == scalar(7, "int64")


def test_narrow_numbers_become_wide_ones(front: Front):
    third = math.pi
    narrow = float(np.float32(third))
    body = [scalar(third, "float32"), scalar([1, third], "complex64")]
    wide = [scalar(narrow, "float64"), scalar([1.0, narrow], "complex128")]
    assert front.result("widened.pt", body) == wide
    body = [scalar(2**53, "int"), scalar(-3, "int8")]
    assert front.result("widened.pt", body) == [scalar(2.0**53, "float64"), enveloped(-3 + 0j)]
    assert front.result("widened.pt", {"f": 2, "c": 5}) == [enveloped(2.0), enveloped(5 + 0j)]
    for body in (
        [scalar(2**53 + 1, "int"), scalar(0, "int")],
        [scalar(0, "int"), scalar(2**53 + 1, "int")],
    ):
        assert front.refusal("widened.pt", body)[0] == "Incompatible tensor data type"

"""Results without envelopes at /serve, on both servers."""

import numpy as np
import pytest

from tests.support.binary_bodies import JSON, NUMPY, SAFE, Ask, npy_of
from tests.support.client import Client, scalar, string, tensor
from torch_serving.codecs.media_types import PLAIN

SQUARE = {"x": [[1, 2.5], [-3, 4]]}
NOT_FINITE = tensor([3], ["NaN", "Infinity", 0.5])


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("echo.pt", SQUARE, [[1.0, 2.5], [-3.0, 4.0]]),
        ("echo.pt", [tensor([], [7], "int64")], 7),
        ("echo.pt", [tensor([2, 0], [])], [[], []]),
        ("echo.pt", [tensor([2], [True, False], "bool")], [True, False]),
        ("echo.pt", [NOT_FINITE], ["NaN", "Infinity", 0.5]),
        ("str.pt", {"s": "é"}, "é"),
        ("list.pt", {"d": [[1.5], [2]]}, [[1.5], [2.0]]),
        ("tensors.pt", {"d": {"a": [1.5]}}, {"a": [1.5]}),
        ("pair.pt", {"t": [1, "a"]}, ["a", 1]),
        ("nothing.pt", SQUARE, None),
    ],
)
def test_results(client: Client, model: str, body: list | dict, expected: object):
    for _ in range(3):  # the first in a thread, later ones on the loop
        response = client.post(model, body, plain=1)
        assert response.result == expected
        assert response.headers["content-type"] == PLAIN
    assert client.post(model, body, {"Accept": PLAIN}).result == expected
    enveloped = client.post(model, body)
    assert enveloped.headers["content-type"] == JSON
    assert client.post(model, body, {"Accept": PLAIN}, plain=0).result == enveloped.result


def test_a_result_can_be_sent_again(client: Client):
    result = client.post("echo.pt", SQUARE, plain="true").result
    assert client.post("echo.pt", {"x": result}, plain="true").result == result


def test_bodies_need_not_be_json(ask: Ask):
    body = npy_of(np.array([[1, 2], [3, 4]], "i8"))
    response = ask("echo.pt", body, NUMPY, PLAIN)
    assert (response.type, response.document["result"]) == (PLAIN, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("query", "accept", "status", "detail"),
    [
        ("plain=2", "*/*", 400, "`plain` must be one of 1, true, 0, false, got `2`"),
        ("plain=1", SAFE, 400, "`plain` is for JSON"),
        ("plain=1", "*/*", 406, "result: a tensor of complex numbers has no plain form"),
    ],
)
def test_what_is_refused(client: Client, query: str, accept: str, status: int, detail: str):
    body = [tensor([1], [0, 1], "complex64")]
    target = f"/serve?servable_identifier=echo.pt&{query}"
    response = client.request("POST", target, body, {"Accept": accept})
    assert response.status == status
    assert response.document["detail"].startswith(detail)
    client.check()


def test_errors_have_their_form(client: Client):
    response = client.post("echo.pt", [scalar(1, "int"), string("")], plain=1)
    assert (response.status, response.headers["content-type"]) == (400, JSON)

"""`X-Server-Timing: 1` asks for the times of a request's steps; other responses are as before."""

import http.client
import json
import re
from urllib.parse import urlsplit

import pytest

from tests.support.client import LIMIT_S, tensor
from tests.support.process import Process
from torch_serving.http.server_timing import server_timing
from torch_serving.telemetry._counters import STEPS
from torch_serving.telemetry.tracing import StepTime

ASKED = {"X-Server-Timing": "1"}
ECHO = "/serve?servable_identifier=echo.pt"
RAISING = "/serve?servable_identifier=raising.pt"
BODY = json.dumps([tensor([2], [1, 2])])
RAISING_BODY = json.dumps({"x": tensor([1, 1], [[1]]), "n": 1})
V2 = "/v2/models/echo.pt/infer"
V2_BODY = json.dumps(
    {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1.0, 2.0]}]}
)
STEP = r'(queue|decode|copy|forward|encode|total);dur=[0-9]+\.[0-9]{3}|batch;desc="[0-9]+"'


def post(
    process: Process, target: str, body: str, headers: dict[str, str]
) -> tuple[int, list[str] | None]:
    """The status of a response, and the names of its times."""
    address = urlsplit(process.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT_S)
    connection.request("POST", target, body, headers)
    with connection.getresponse() as response:
        response.read()
    connection.close()
    text = response.headers["server-timing"]
    if text is None:
        return response.status, None
    metrics = text.split(", ")
    assert all(re.fullmatch(STEP, metric) for metric in metrics), text
    return response.status, [metric.partition(";")[0] for metric in metrics]


@pytest.mark.parametrize(("target", "body"), [(ECHO, BODY), (V2, V2_BODY)])
def test_the_steps_of_a_request(uvicorn_server: Process, target: str, body: str):
    status, names = post(uvicorn_server, target, body, ASKED)
    assert status == 200
    assert [name for name in names or [] if name != "queue"] == [
        "decode",
        "forward",
        "encode",
        "total",
        "batch",
    ]


@pytest.mark.parametrize("headers", [{}, {"X-Server-Timing": "0"}, {"X-Server-Timing": "x"}])
@pytest.mark.parametrize(("target", "body"), [(ECHO, BODY), (V2, V2_BODY)])
def test_nothing_is_told_unasked(
    uvicorn_server: Process, target: str, body: str, headers: dict[str, str]
):
    assert post(uvicorn_server, target, body, headers) == (200, None)


@pytest.mark.parametrize(
    ("target", "body", "status", "names"),
    [
        (ECHO, "[", 400, ["decode", "total"]),
        (V2, "[", 400, ["decode", "total"]),
        (RAISING, RAISING_BODY, 500, ["decode", "forward", "total", "batch"]),
        ("/serve?servable_identifier=no-such.pt", BODY, 400, ["total"]),
        ("/serve?servable_identifier=echo.pt&plain=maybe", BODY, 400, ["total"]),
        ("/nowhere", BODY, 404, ["total"]),
    ],
)
def test_errors_tell_as_far_as_they_came(
    uvicorn_server: Process, target: str, body: str, status: int, names: list[str]
):
    got, found = post(uvicorn_server, target, body, ASKED)
    assert (got, [name for name in found or [] if name != "queue"]) == (status, names)


def test_the_value():
    decode, run = STEPS.index("decode"), STEPS.index("forward")
    steps = [
        StepTime(decode, 1.0, 1.001),
        StepTime(run, 2.0, 2.0025, 4),
        StepTime(decode, 3.0, 3.001),  # tried again
    ]
    assert (
        server_timing(steps, 0.01)
        == 'decode;dur=2.000, forward;dur=2.500, total;dur=10.000, batch;desc="4"'
    )
    assert server_timing([], 0.0) == "total;dur=0.000"

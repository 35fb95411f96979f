"""What a server tells of a model, as `bench` asks for it."""

import json
from collections.abc import Callable

from tests.support.fake_server import OK, response

SHORT = ["-s", "0.2", "--warm-up", "0"]
Command = Callable[..., tuple[int, str, str]]  # returns exit code, output, errors
DESCRIPTION = {
    "methods": {
        "forward": {"example": {"x": {"type": "tensor", "shape": [1, 2], "value": [1, 2]}}},
        "silent": {"example": {"x": "…"}, "note": "no request was found that works"},
    },
    "oip_example": {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]}]
    },
}
MODELS = {
    b"GET /models ": {"models": [{"identifier": "a b.pt"}]},
    b"GET /models/a%20b.pt ": DESCRIPTION,
    b"GET /models/other ": {**DESCRIPTION, "identifier": "a b.pt"},
    b"GET /other/models ": {"models": [{"identifier": f"{name}.pt"} for name in "abcdefg"]},
    b"GET /v2/models/theirs ": {
        "inputs": [{"name": "y", "datatype": "INT64", "shape": [-1, 3]}],
    },
}


def answer(request: bytes, number: int) -> bytes:
    """A server that has one model, and counts its requests in the metrics."""
    for line, document in MODELS.items():
        if request.startswith(line):
            return response(200, json.dumps(document).encode())
    if request.startswith(b"GET /metrics "):
        return response(200, metrics(number))
    return response(404, b'{"description": "Not found"}') if request.startswith(b"GET ") else OK


def metrics(number: int) -> bytes:
    labels = 'model="a b.pt",method="forward"'
    lines = ["# TYPE torch_serving_request_seconds histogram"]
    lines += [f"torch_serving_request_seconds_sum{{{labels}}} {number * 0.25}"]
    lines += [f"torch_serving_request_seconds_count{{{labels}}} {number}"]
    lines += ["# TYPE torch_serving_step_seconds histogram"]
    lines += [f'torch_serving_step_seconds_sum{{{labels},step="forward"}} {number * 0.125}']
    lines += [f'torch_serving_step_seconds_count{{{labels},step="forward"}} {number}']
    return "\n".join([*lines, ""]).encode()

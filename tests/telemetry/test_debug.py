"""What helps while a model is developed: traces for clients, and the steps of requests."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import LIMIT_S, Client, tensor
from tests.support.process import Process, wait_until
from torch_serving.http.error_responses import MAX_SENT_TRACE, DebugErrors, error_response

SERVE = "/serve?servable_identifier=raising.pt"
RAISING = [tensor([1], [1.0]), {"type": "scalar", "value": 1, "data_type": "int"}]
V2_INPUTS = [
    {"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]},
    {"name": "n", "shape": [1], "datatype": "INT64", "data": [1]},
]
V2 = "/v2/models/raising.pt/infer"


def error_of(url: str, target: str, document: Any) -> dict[str, Any]:
    body = json.dumps(document).encode()
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{url}{target}", body, timeout=LIMIT_S)
    return json.loads(error.value.read())


@pytest.mark.parametrize(("target", "document"), [(SERVE, RAISING), (V2, {"inputs": V2_INPUTS})])
@pytest.mark.parametrize("flags", [[], ["--debug-errors"]])
def test_clients_get_traces_where_that_is_wished(
    model_root: Path,
    start: Callable[..., Process],
    target: str,
    document: Any,
    flags: list[str],
):
    process = start(model_root, "--port", "0", *flags)
    found = error_of(process.url, target, document)
    assert "it is too cold: 1" in found.get("error", found.get("detail"))
    assert ("trace" in found) == bool(flags)
    if flags:
        assert "<--- HERE" in found["trace"]
    assert "trace" not in error_of(process.url, target, [])
    assert "everybody who reaches" not in process.stderr


def test_the_operator_is_warned(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--host", "0.0.0.0", "--debug-errors")
    wait_until(lambda: "--debug-errors: everybody who reaches 0.0.0.0 reads" in process.stderr)


def test_an_unexpected_error_has_its_trace_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(DebugErrors, "are_sent", True)
    try:
        raise ValueError("a fault of the server")
    except ValueError as error:
        document = json.loads(error_response("/serve", error).body)
    assert document["trace"].startswith("Traceback (most recent call last)")
    assert "a fault of the server" in document["trace"]


def test_a_long_trace_keeps_both_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(DebugErrors, "are_sent", True)
    try:
        raise ValueError("long " * 1_000_000 + "and its end")
    except ValueError as error:
        trace = json.loads(error_response("/serve", error).body)["trace"]
    assert trace.startswith("Traceback (most recent call last)")
    assert trace.endswith("and its end\n")
    assert re.search(r"\n… [0-9]{7} characters are left out …\n", trace)
    assert len(trace) < MAX_SENT_TRACE + 100


@pytest.mark.parametrize("flags", [[], ["--device", "cpu,cpu"]])
def test_steps_are_logged_at_debug(
    model_root: Path, start: Callable[..., Process], flags: list[str]
):
    process = start(model_root, "--port", "0", "--log-level", "debug", *flags)
    with Client(process.url) as client:
        for name in ("cold", "warm"):
            response = client.post("echo.pt", [tensor([1], [1.0])], {"X-Request-Id": name})
            assert response.status == 200
    ms = r"\d+\.\d\dms"
    steps = rf"echo\.pt: (queue {ms}, )?decode {ms}, forward {ms}, encode {ms}$"
    for name in ("cold", "warm"):
        pattern = rf" DEBUG \d+ torch_serving\.telemetry\.step_log: request {name}: {steps}"
        wait_until(lambda found=pattern: re.search(found, process.stderr, re.MULTILINE))

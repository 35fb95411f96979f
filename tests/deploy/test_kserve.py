"""The files for KServe: they are valid, and a server with their flags answers as KServe asks."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support.client import LIMIT_S
from tests.support.deployed import DEPLOY, as_pod, complaint_about, document_of, is_confined
from tests.support.fetch import fetch
from tests.support.process import Process
from tests.support.servables import mlp
from torch_serving.telemetry.prometheus import families

KSERVE = DEPLOY / "kserve"
MODELS = "/mnt/models"  # where KServe puts the files of an InferenceService


def of(name: str) -> dict[str, Any]:
    return document_of(KSERVE / f"{name}.yaml")


@pytest.mark.parametrize("name", ["runtime", "inferenceservice", "scaledobject"])
def test_the_schema_takes_it(name: str):
    assert complaint_about(of(name)) == ""


def test_its_pod_is_valid_and_confined():
    spec = of("runtime")["spec"]
    assert complaint_about(as_pod(spec)) == ""
    assert all(is_confined(container) for container in spec["containers"])


def test_they_belong_together():
    runtime, service, scaled = of("runtime"), of("inferenceservice"), of("scaledobject")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    formats = [each["name"] for each in runtime["spec"]["supportedModelFormats"]]
    assert model["modelFormat"]["name"] in formats
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    pods = f"{service['metadata']['name']}-predictor"
    assert scaled["spec"]["scaleTargetRef"]["name"] == pods
    [trigger] = scaled["spec"]["triggers"]
    assert f'pod=~"{pods}-.*"' in trigger["metadata"]["query"]
    used = set(re.findall(r"torch_serving_\w+", trigger["metadata"]["query"]))
    assert used < {name for name, _ in families()}


def test_a_model_has_the_name_of_its_service(tmp_path: Path, start: Callable[..., Process]):
    mlp().save(tmp_path / "weights-7.pt")
    arguments = [
        each.replace("{{.Name}}", "example").replace(MODELS, str(tmp_path))
        for each in of("runtime")["spec"]["containers"][0]["args"]
        if not each.startswith("--port")
    ]
    numbers = {"name": "x", "shape": [1, 16], "datatype": "FP32", "data": [0.0] * 16}
    url = start(*arguments, "--port", "0").url
    request = Request(f"{url}/v2/models/example/infer", json.dumps({"inputs": [numbers]}).encode())
    with urlopen(request, timeout=LIMIT_S) as response:
        assert json.load(response)["outputs"]
    for path in ("/v2/models/example/ready", "/ready"):
        assert fetch(url, path)[0] == 200

"""Models that have exported methods only: encoders and decoders, and the like."""

import json
from pathlib import Path

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.fetch import fetch
from tests.support.loaded import CPU
from tests.support.process import Process
from tests.support.servables import NoForward
from torch_serving.model_config import ModelConfig
from torch_serving.models.loader import load
from torch_serving.models.settings import read_model_config

NAME = "no_forward.pt"


@pytest.fixture
def client(uvicorn_server: Process):
    with Client(uvicorn_server.url) as client:
        yield client


@pytest.mark.parametrize(("method", "value"), [("encode", [2.0]), ("decode", [0.0])])
def test_each_method_is_called_by_name(client: Client, method: str, value: list[float]):
    for _ in range(6):
        response = client.post(NAME, [tensor([1], [1.0])], method=method)
        assert response.status == 200
        assert response.document["result"]["value"] == value


def test_a_request_without_a_method_is_told_which_there_are(client: Client):
    response = client.post(NAME, [tensor([1], [1.0])])
    assert response.status == 400
    assert (
        response.document["detail"] == "the model has no `forward`; give `method`: decode, encode"
    )


@pytest.mark.parametrize("path", [f"/models/{NAME}", "/openapi.json", "/metrics"])
def test_pages_about_models_have_them(client: Client, path: str):
    client.post(NAME, [tensor([1], [1.0])], method="encode")
    status, _, body = fetch(client.url, path)
    assert status == 200
    assert "encode" in str(body)


def test_the_open_inference_protocol_names_the_methods(client: Client):
    client.post(NAME, [tensor([1], [1.0])], method="encode")
    assert fetch(client.url, f"/v2/models/{NAME}/ready")[0] == 200
    status, _, body = fetch(client.url, f"/v2/models/{NAME}")
    assert status == 400
    assert "decode, encode" in str(body)


@pytest.mark.usefixtures("every_run_is_short")
def test_warm_up_requests_are_for_the_first_method(tmp_path: Path):
    path = tmp_path / NAME
    torch.jit.script(NoForward()).save(path)
    body = json.dumps([tensor([1], [1.0])])
    (tmp_path / "no_forward.warmup.json").write_text(body)
    servable = load(path, CPU, read_model_config(path, ModelConfig()))
    assert servable.main_name == "decode"
    assert servable.main_method().inline.may_run_inline(len(body))

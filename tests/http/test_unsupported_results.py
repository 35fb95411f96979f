"""Results that no response has a form for are told as such, and where they are."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
import torch

from tests.support.client import Client, string, tensor
from tests.support.oip import body_of, entry
from tests.support.process import Process
from torch_serving.engine.device_errors import explain


class Meta(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, torch.empty([2, 2], device=torch.device("meta"))


class Nested(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mask = torch.ones([x.size(0), x.size(1)], dtype=torch.bool)
        return x, torch._nested_tensor_from_mask(x, mask)


class Sparse(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.to_sparse()


class Ranked(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, torch.zeros([1] * 65)


class Endless(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, torch.empty([0, 1 << 62])


class First(torch.nn.Module):
    def forward(self, text: str) -> list[str]:
        return [text[:1]]


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> Process:
    root = tmp_path_factory.mktemp("models")
    for model in (Meta(), Nested(), Sparse(), Ranked(), Endless(), First()):
        torch.jit.script(model).save(root / f"{type(model).__name__.lower()}.pt")
    return start_for_module(root, "--port", "0")


@pytest.mark.parametrize("kind", ["meta", "nested", "sparse"])
@pytest.mark.parametrize(
    ("media_type", "where"), [("json", "[1]"), ("vnd.safetensors", " `output_1`")]
)
def test_tensors_without_numbers(process: Process, kind: str, media_type: str, where: str):
    accept = {"Accept": f"application/{media_type}"}
    with Client(process.url) as client:
        response = client.post(f"{kind}.pt", [tensor([1, 1, 2], [1, 2])], accept)
    assert response.status == 500
    assert response.document["description"] == "Unsupported result"
    assert response.document["detail"].startswith(f"result{where}: ")
    assert re.search(f"{kind}|dense", response.document["detail"])
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("kind", ["ranked", "endless"])
@pytest.mark.parametrize("media_type", ["json", "json; profile=plain", "vnd.safetensors"])
def test_shapes_that_no_array_has(process: Process, kind: str, media_type: str):
    accept = {"Accept": f"application/{media_type}"}
    with Client(process.url) as client:
        response = client.post(f"{kind}.pt", [tensor([1], [1])], accept)
    assert response.status == 500
    assert response.document["description"] == "Unsupported result"
    assert "no array has the shape [" in response.document["detail"]
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("kind", ["meta", "nested", "sparse"])
@pytest.mark.parametrize("is_binary", [False, True])
def test_outputs_without_numbers(process: Process, kind: str, is_binary: bool):
    parameters = {"binary_data_output": is_binary}
    body, _ = body_of([entry("x", [1, 1, 2], data=[1, 2])], parameters=parameters)
    request = urllib.request.Request(f"{process.url}/v2/models/{kind}.pt/infer", body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 500
    assert f"output `output_1`: a {kind} tensor has no" in json.load(caught.value)["error"]
    assert "Traceback" not in process.stderr


def test_strings_that_are_no_text(process: Process):
    with Client(process.url) as client:
        response = client.post("first.pt", [string("é")])
        assert (response.status, response.document["description"]) == (500, "Unsupported result")
        assert "not UTF-8: b'\\xc3', byte 0" in response.document["detail"]
        assert client.post("first.pt", [string("abc")]).status == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://docs.example.org/guide/shapes.html#n", None),
        ("(http://[::1]:80/a/b?c=/d/e)", None),
        ("s3://bucket/key/of/it.pt", None),
        ("give N/C/H/W or a/b", None),
        ("not /opt/secret/place/x.py", "not x.py"),
        ("not '/opt/secret/x.py': /srv/y/z.so(+1)", "not 'x.py': z.so(+1)"),
        ("file:///opt/secret/x.py", "file://x.py"),
        ("https:///opt/secret/x.py", "https://x.py"),
        ("https://a.org/b /opt/secret/x", "https://a.org/b x"),
        ("what\nException raised from f at /x/y.cpp:1", "what"),
    ],
)
def test_addresses_stay_and_paths_go(text: str, expected: str | None):
    assert explain(RuntimeError(text)) == (expected or text)


def test_explanations_are_never_empty():
    assert explain(RuntimeError("")) == "RuntimeError"

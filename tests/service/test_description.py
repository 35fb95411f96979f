"""Descriptions of models: what they say is true, and the requests that they show work."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.described import Impossible, Several, described
from tests.support.process import Process
from tests.support.servables import mlp, scripted
from tests.support.typed_models import CASES, file_of
from torch_serving.engine.engine import Engine
from torch_serving.models.servable import Servable


class ConvolutionalNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
        )
        self.out = torch.nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.out(self.features(image).flatten(1))


class FixedSize(torch.nn.Module):
    """Takes images of 32 x 32 only."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Conv2d(1, 2, 3, padding=1)
        self.out = torch.nn.Linear(2 * 32 * 32, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.out(self.features(image).flatten(1))


class OneImage(torch.nn.Module):
    """Takes one image, without a batch before it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Conv2d(3, 4, 16, 16)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(image.unsqueeze(0))[0]


class Words(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 6)
        self.out = torch.nn.Linear(6, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(words).mean(1))


class Sequence(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 7, batch_first=True)

    def forward(
        self, x: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return self.lstm(x, state)


class Half(torch.nn.Module):
    """Has a method that is called as one of every module."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def half(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, typed_models: Path) -> Path:
    folder = tmp_path_factory.mktemp("described")
    shutil.copytree(typed_models, folder, dirs_exist_ok=True)
    (folder / "of several").mkdir()
    mlp().save(folder / "mlp.pt")
    for module in (
        ConvolutionalNet(),
        FixedSize(),
        OneImage(),
        Words(),
        Sequence(),
        Several(),
        Impossible(),
    ):
        path = folder / f"{type(module).__name__}.pt"
        torch.jit.script(module.eval()).save(path)
    mlp().save(folder / "of several" / "é+.pt")
    (folder / "broken.pt").write_bytes(b"no model")
    return folder


def responses_to_examples(servable: Servable, description: dict[str, Any]) -> dict[str, Any]:
    """What each method gives for its own example; raises if one does not work."""
    json.dumps(description, allow_nan=False)
    results = {}
    for name, method in description["methods"].items():
        assert "note" not in method
        body = json.dumps(method["example"]).encode()
        results[name] = json.loads(Engine(1).run(servable.method(name), body))["result"]
    return results


def test_an_mlp(root: Path):
    servable, description = described(root / "mlp.pt")
    assert responses_to_examples(servable, description)["forward"]["shape"] == [1, 4]
    forward = description["methods"].pop("forward")
    assert description == {
        "device": "cpu",
        "runs": "TorchScript",
        "parameters": 16 * 64 + 64 + 64 * 4 + 4,
        "parameter_bytes": 4 * (16 * 64 + 64 + 64 * 4 + 4),
        "data_type": "float32",
        "methods": {},
    }
    assert forward == {
        "signature": "(x: Tensor) -> Tensor",
        "arguments": [{"name": "x", "type": "Tensor", "required": True}],
        "structure": {"x": {"kind": "tensor", "type": "Tensor"}},
        "result": "Tensor",
        "example": {"x": tensor([1, 16], [0] * 16)},
    }


TYPES = sorted({case.type for case in CASES})
STRUCTURES = {
    "Color": {"kind": "enum", "names": ["RED", "DARK_GREEN"]},
    "Point": {
        "kind": "tuple",
        "type": "Point",
        "names": ["x", "n"],
        "parts": [{"kind": "tensor", "type": "Tensor"}, {"kind": "int", "type": "int"}],
    },
    "Dict[str, int]": {
        "kind": "dict",
        "type": "Dict[str, int]",
        "parts": [{"kind": "str", "type": "str"}, {"kind": "int", "type": "int"}],
    },
}


@pytest.mark.parametrize("type_", STRUCTURES)
def test_types_as_trees(root: Path, type_: str):
    _, description = described(root / file_of(type_))
    structure = description["methods"]["forward"]["structure"]["v"]
    assert structure | STRUCTURES[type_] == structure
    json.dumps(structure)


@pytest.mark.parametrize(
    "name", ["ConvolutionalNet", "FixedSize", "OneImage", "Words", "Sequence", "Several"]
)
def test_examples_of_models_work(root: Path, name: str):
    responses_to_examples(*described(root / f"{name}.pt"))


def test_several_methods_and_defaults(root: Path):
    _, description = described(root / "Several.pt")
    assert list(description["methods"]) == ["forward", "scaled"]
    scaled = description["methods"]["scaled"]
    assert scaled["signature"] == "(x: Tensor, by: float = 0.5, name: str = 'é') -> Tensor"
    assert scaled["arguments"] == [
        {"name": "x", "type": "Tensor", "required": True},
        {"name": "by", "type": "float", "required": False, "default": 0.5},
        {"name": "name", "type": "str", "required": False, "default": "é"},
    ]
    assert list(scaled["example"]) == ["x"]


@pytest.mark.parametrize("type_", [*TYPES[::4], "Color", "Level", "Point", "Segment", "Device"])
def test_examples_of_types_work(root: Path, type_: str):
    servable, description = described(root / file_of(type_))
    responses_to_examples(servable, description)
    assert description["methods"]["forward"]["arguments"][0]["required"] is True
    assert (description["parameters"], description["data_type"]) == (0, None)


def test_methods_that_every_module_has(tmp_path: Path):
    torch.jit.script(Half()).save(tmp_path / "half.pt")
    servable, description = described(tmp_path / "half.pt")
    assert responses_to_examples(servable, description)["half"] == tensor([1], [0])


def test_where_no_example_is_found(root: Path):
    _, description = described(root / "Impossible.pt")
    method = description["methods"]["forward"]
    assert method["example"] == {"x": "…"}
    assert method["note"].startswith("no request was found that works")


def test_defaults_that_are_no_json(tmp_path: Path):
    path = tmp_path / "model.pt"
    scripted("x: Tensor, by: float = 1e999", "Tensor", "return x").save(path)
    _, description = described(path)
    assert description["methods"]["forward"]["arguments"][1]["default"] == "inf"


@pytest.fixture(scope="module")
def client(root: Path, start_for_module: Callable[..., Process]) -> Iterator[Client]:
    with Client(start_for_module(root, "--port", "0").url, secrets=[root.name]) as client:
        yield client


def get(client: Client, target: str) -> Any:
    client._connection.request("GET", target)
    with client._connection.getresponse() as response:
        return response.status, json.loads(response.read())


def test_over_http(client: Client, root: Path):
    for name in ("Several.pt", "of several/é+.pt", "Tensor.pt"):
        expected = {"identifier": name} | described(root / name)[1]
        status, document = get(client, f"/models/{quote(name)}")
        assert (status, document | expected) == (200, document)
        assert document["state"] == "loaded"
        method = expected["methods"]["forward"]
        assert client.post(name, method["example"]).status == 200
    assert get(client, f"/models/{quote('of several/é+.pt', safe='')}")[0] == 200
    assert get(client, "/models/mlp.pt?device=cpu")[0] == 200


@pytest.mark.parametrize(
    "identifier",
    ["nothing.pt", "broken.pt", "of%20several", "..%2Fsecret.pt", "a/b/c.pt", "box.pt"],
)
def test_unknown_models_over_http(client: Client, identifier: str):
    status, document = get(client, f"/models/{identifier}")
    assert (status, document["description"]) == (400, "Invalid servable identifier")


def test_other_requests_for_models(client: Client):
    assert client.request("POST", "/models/mlp.pt", b"").status == 404
    assert client.request("PUT", "/models/mlp.pt", b"").status == 405
    status, document = get(client, "/models/mlp.pt?device=warp")
    assert (status, document["description"]) == (400, "Invalid device")
    assert client.post("mlp.pt", {"x": tensor([1, 16], [0] * 16)}).status == 200

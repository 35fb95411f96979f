"""Programs that were exported on one device, and run on another one. `meta` stands for a card."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_leaves

from tests.support.exported import document_of, export, save
from tests.support.zoo.export import without_warnings
from torch_serving.models.backends.export import loader
from torch_serving.models.backends.export.archive import contents
from torch_serving.models.backends.export.graph.devices import place_on
from torch_serving.models.compilation.package import on_device
from torch_serving.models.integrity import open_verified

META = torch.device("meta")


class Kept(torch.nn.Module):
    """A parameter, buffers and constants, and tensors that the code makes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)
        self.register_buffer("kept", torch.ones(3))
        self.register_buffer("unsaved", torch.ones(3), persistent=False)
        self.constant = torch.ones(3)

    def sum(self) -> torch.Tensor:
        kept = self.get_buffer("kept") + self.get_buffer("unsaved") + self.constant
        return kept + torch.tensor([1.0, 2.0, 3.0]) + made()


def made() -> torch.Tensor:
    return torch.zeros(3) + torch.arange(3, device="cpu") + torch.full((3,), 2.0)


class Script(Kept):
    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x) + self.sum() + x.new_ones(3), x.to("cpu"), made().to(x.device)


class Python(Kept):
    """A graph with another one inside, which has no twin in TorchScript."""

    def forward(self, x: torch.Tensor) -> Any:
        from torch._higher_order_ops.map import map as mapped  # takes a second

        return mapped(lambda row: row * 2 + made(), self.layer(x)) + self.sum(), x.to("cpu")


class Autocast(torch.nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.kind, torch.bfloat16):
            return self.layer(x).float()


@pytest.mark.parametrize("decomposes", [False, True])
@pytest.mark.parametrize(("kind", "way"), [(Script, "in TorchScript"), (Python, "in Python")])
def test_a_program_moves_whole(tmp_path: Path, kind: Any, way: str, decomposes: bool):
    exported = export(kind(), (torch.ones(2, 3),))
    with without_warnings():
        exported = exported.run_decompositions() if decomposes else exported
    with open_verified(save(exported, tmp_path / "model.pt2"), contents.verify) as file:
        program = loader.load(file, META)
    assert way in program.runs
    # torch's interpreter would compare constants, which have no memory here
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        result = program.methods()["forward"].run(torch.ones(2, 3, device=META))
    assert {each.device for each in tree_leaves(result)} == {META}


@pytest.mark.parametrize(("kind", "moved"), [("cpu", "cuda"), ("xpu", "xpu")])
def test_half_precision_moves_with_the_tensors(kind: str, moved: str):
    """Where it is for a device that the program has."""
    document = document_of(export(Autocast("cpu"), (torch.ones(2, 3),)))
    graph = document["graph_module"]["graph"]
    (node,) = (each for each in graph["nodes"] if each["target"].endswith("autocast"))
    node["inputs"][0]["arg"]["as_string"] = kind
    place_on(document, torch.device("cuda:1"))
    assert node["inputs"][0]["arg"]["as_string"] == moved
    devices = [each["device"] for each in graph["tensor_values"].values()]
    assert devices == [{"type": "cuda", "index": 1}] * len(devices)


@pytest.mark.parametrize("kind", [Python(), Autocast("cpu")])
def test_what_is_compiled_for_another_device_is_a_copy(kind: Any):
    program = export(kind, (torch.ones(2, 3),))
    before = str(program.graph)
    with without_warnings():
        moved = on_device(program, "meta")
    assert {each.device for each in moved.state_dict.values()} == {META}
    assert " (meta, torch.bfloat16" in str(moved.graph) or isinstance(kind, Python)
    assert {each.device.type for each in program.state_dict.values()} == {"cpu"}
    assert str(program.graph) == before
    for name, weight in on_device(program, "cpu").state_dict.items():
        assert weight is program.state_dict[name]

"""What the graph of a program that runs as Python tells of a run."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.support.exported import document_of, export
from torch_serving.models.backends.export.graph.facts import facts_of
from torch_serving.models.backends.export.graph.source import stored_tensors

Forward = Callable[["Model", torch.Tensor], Any]


class Model(torch.nn.Module):
    """Runs a function that may use its buffers."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(4))
        self.register_buffer("read", torch.zeros(4))
        self._forward = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self._forward(self, x)


def reads(model: Model, x: torch.Tensor) -> Any:
    return (x + model.read).add_(1) + model.kept


def writes(model: Model, x: torch.Tensor) -> Any:
    model.kept.add_(1)
    return x + model.read


def writes_a_view(model: Model, x: torch.Tensor) -> Any:
    model.kept[1:].view(3, 1).mul_(2)
    return x + model.read


def writes_inside(model: Model, x: torch.Tensor) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        model.kept[:2].add_(1)
        return x + model.read


def writes_its_argument(model: Model, x: torch.Tensor) -> Any:
    return x.add_(model.read)


def draws_inside(model: Model, x: torch.Tensor) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return torch.rand_like(x)


def chooses(model: Model, x: torch.Tensor) -> Any:
    return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))


def facts(forward: Forward) -> tuple[str, bool, bool]:
    document = document_of(export(Model(forward), (torch.ones(4),)))
    return facts_of(document, {name: each.name for name, each in stored_tensors(document).items()})


@pytest.mark.parametrize(
    ("forward", "written"),
    [
        (reads, ""),
        (writes, "kept"),
        (writes_a_view, "kept"),
        (writes_inside, "kept"),
        (writes_its_argument, ""),
    ],
)
def test_what_a_run_writes(forward: Forward, written: str):
    assert facts(forward) == (written, False, False)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own
def test_what_a_run_writes_where_the_graph_returns_it():
    exported = export(Model(writes), (torch.ones(4),)).run_decompositions()
    document = document_of(exported)
    assert facts_of(document, {}).written == "kept"


def test_what_a_run_draws_and_chooses():
    assert facts(draws_inside) == ("", True, False)
    assert facts(chooses) == ("", False, True)

"""How a package is compared with its program: sizes that are tried, and what must be equal."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch.export import Dim
from torch.utils import _pytree as pytree

from tests.support.packages import Compiled, save_program
from torch_serving.models.backends.export.package.package import PackageProgram
from torch_serving.models.backends.export.program import ExportedProgram
from torch_serving.models.compilation.comparison import Comparison, Refused, compare
from torch_serving.models.compilation.job import plain, read_program, without_package
from torch_serving.models.compilation.programs import load_program
from torch_serving.models.compilation.sizes import Inputs, resized
from torch_serving.models.loader import load


class Sized(torch.nn.Module):
    def forward(
        self, x: torch.Tensor, y: torch.Tensor, *, ids: torch.Tensor, flag: bool = True
    ) -> Any:
        return {"a": x + y[:, : x.shape[1]], "b": ids.sum(1)}


def inputs(limit: int = 100) -> Inputs:
    rows, columns = Dim("rows", min=1, max=limit), Dim("columns", min=2, max=50)
    program = torch.export.export(
        Sized(),
        (torch.randn(3, 4), torch.randn(3, 8)),
        {"ids": torch.arange(6).reshape(3, 2), "flag": True},
        dynamic_shapes={
            "x": {0: rows, 1: columns},
            "y": {0: rows, 1: 2 * columns},
            "ids": {0: rows},
            "flag": None,
        },
    )
    return Inputs(program)


def shapes(leaves: list[Any]) -> list[list[int]]:
    return [list(each.shape) for each in leaves if isinstance(each, torch.Tensor)]


def test_least_large_and_other_sizes():
    assert [shapes(leaves) for leaves in inputs().others()] == [
        [[1, 2], [1, 4], [1, 2]],
        [[33, 26], [33, 52], [33, 2]],
        [[64, 50], [64, 100], [64, 2]],
    ]
    assert [shapes(leaves)[0][0] for leaves in inputs(4).others()] == [1, 3, 4]


def test_a_lower_bound_of_batches_is_saved(tmp_path: Path):
    save_program(tmp_path / "mlp.pt2")
    program = read_program(tmp_path / "mlp.pt2", 8)
    assert [shapes(leaves)[0][0] for leaves in Inputs(program).others()] == [1, 5, 8]
    torch.export.save(program, tmp_path / "narrow.pt2")
    narrow = torch.export.load(tmp_path / "narrow.pt2")
    assert list(Inputs(narrow).ranges.values()) == [(1, 8)]


def test_arguments_have_the_tree_of_the_example():
    found = inputs()
    positional, by_name = found.arguments(next(found.others()))
    assert len(positional) == 2
    assert by_name["flag"] is True
    assert int(by_name["ids"].max()) <= 5  # whole numbers may be indices


def test_numbers_are_those_of_the_example():
    random = torch.Generator().manual_seed(0)
    floats = resized(torch.tensor([[1.0, 2.0]]), [5, 3], random)
    assert set(floats.flatten().tolist()) <= {1.0, 2.0}
    assert len(set(resized(torch.zeros(1, 2), [2, 3], random).flatten().tolist())) > 1
    assert resized(torch.tensor([3, 7]), [3], random).tolist() == [3, 7, 3]
    assert resized(torch.ones(0, 2), [2, 2], random).tolist() == [[0, 0], [0, 0]]


X = torch.tensor([1.0, 2.0])
OTHER = "gives other results"


@pytest.mark.parametrize(
    ("result", "only_types", "problem", "difference"),
    [
        (X, False, "", 0.0),
        ({"a": [X]}, False, "", 0.0),
        (X.numpy(), False, "", 0.0),
        (X + 1e-4, False, "", 1e-4),
        (X + 1, False, OTHER, float("inf")),
        (X + 1, True, "", 0.0),
        (X.double(), True, OTHER, float("inf")),
        (torch.ones(3), True, OTHER, float("inf")),
        ((X, X), False, OTHER, float("inf")),
    ],
)
def test_what_counts_as_the_same(result: Any, only_types: bool, problem: str, difference: float):
    requests = iter([[X]])
    (found,) = compare(lambda _: lambda: X, lambda _: lambda: result, ["x"], requests, only_types)
    assert isinstance(found, Comparison)
    assert (found.inputs, found.problem) == ("x [2]", problem)
    assert found.difference == pytest.approx(difference, rel=0.01)


def test_what_the_program_refuses():
    def refuse(_: object) -> None:
        raise ValueError("too many rows\nand more")

    assert list(compare(refuse, refuse, ["x"], iter([[X]]))) == [Refused("x [2]", "too many rows")]


def test_what_the_package_refuses():
    def refuse(_: object) -> None:
        raise ValueError("dimension 0 is 1, not at least 2")

    (found,) = compare(lambda _: lambda: X, refuse, ["x"], iter([[X]]))
    assert isinstance(found, Comparison)
    assert found.problem == "fails (dimension 0 is 1, not at least 2)"


class Named(NamedTuple):
    left: Any
    right: Any


class Point:
    def __init__(self, x: Any, y: Any) -> None:
        self.x = x
        self.y = y


pytree.register_pytree_node(Point, lambda point: ([point.x, point.y], None), lambda parts, _: parts)


def test_registered_classes_are_tuples_for_the_server():
    assert plain(Point(1, Named([2], Point(3, None)))) == (1, ([2], (3, None)))
    assert isinstance(plain(Named(1, 2)), Named)
    assert plain({"a": (1, None)}) == {"a": (1, None)}


def test_a_package_is_compared_with_the_program_and_not_with_an_older_package(
    compiled: Compiled, tmp_path: Path
):
    servable = load(compiled.package, torch.device("cpu"))
    assert isinstance(servable.program, PackageProgram)
    before = without_package(servable, load_program(compiled.package), tmp_path)
    assert isinstance(before.program, ExportedProgram)
    assert without_package(before, load_program(compiled.package), tmp_path) is before

"""TorchScript models become exported programs: with their names, results and open dimensions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.export import ExportedProgram

from tests.support.servables import scripted
from torch_serving.models.compilation.conversion import NotConverted, convert
from torch_serving.models.compilation.sizes import Inputs
from torch_serving.models.loader import load

CPU = torch.device("cpu")
MATRIX = '{"x": [[1, 2, 3], [4, 5, 6]]}'

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Weighted(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        scores = self.linear(x) * scale
        return {"scores": scores, "best": scores.argmax(1)}


def converted(
    module: Any, body: str, folder: Path, max_batch: int | None = None
) -> tuple[Any, ExportedProgram]:
    path = folder / "model.pt"
    torch.jit.save(module, path)
    method = load(path, CPU).main_method()
    program = convert(torch.jit.load(path), method, method.decode(body.encode()), max_batch)
    return method, program


def names_of(program: ExportedProgram) -> list[str]:
    return [str(name) for name in program.graph_signature.user_inputs]


def test_names_results_and_sizes(tmp_path: Path):
    """An example of one row is not taken for a size of one."""
    module = torch.jit.script(Weighted().eval())
    method, program = converted(module, '{"x": [[1, 2, 3]], "scale": [[2]]}', tmp_path, 8)
    assert list(names_of(program)) == ["x", "scale"]
    x, scale = torch.randn(7, 3), torch.randn(7, 1)
    found, expected = program.module()(x, scale), method.run([x, scale])
    assert list(found) == ["scores", "best"]
    assert torch.equal(found["scores"], expected["scores"])
    assert list(Inputs(program).ranges.values()) == [(1, 8)]


def test_what_is_not_row_by_row_stays_as_it_is(tmp_path: Path):
    """Its example has one row, and with two it gives something else."""
    module = scripted("x: Tensor", "Tensor", "return x.sum(0)")
    _, program = converted(module, '{"x": [[1, 2, 3]]}', tmp_path)
    assert program.example_inputs[0][0].shape == (1, 3)
    _, program = converted(module, MATRIX, tmp_path)
    assert len(Inputs(program).ranges) == 2


def test_numbers_are_burnt_in(tmp_path: Path):
    module = scripted("x: Tensor, n: int = 2", "Tensor", "return x * n")
    _, program = converted(module, '{"x": [[1, 2], [3, 4]], "n": 5}', tmp_path)
    x = torch.ones(3, 2)
    assert torch.equal(program.module()(x, 5), 5 * x)


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (("d: List[Tensor]", "Tensor", "return d[0]"), '{"d": [[1, 2]]}'),
        (("x: Tensor", "int", "return 1 if bool(x.sum() > 0) else x.size(0)"), MATRIX),
    ],
)
def test_what_cannot_be_converted(source: tuple[str, str, str], body: str, tmp_path: Path):
    with pytest.raises(NotConverted) as refused:
        converted(scripted(*source), body, tmp_path)
    assert str(refused.value)
    assert "\n" not in str(refused.value)

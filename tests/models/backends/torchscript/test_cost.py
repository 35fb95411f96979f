"""Whether the shapes of its inputs bound the time that a TorchScript method takes."""

import pytest
import torch

from tests.support.servables import scripted
from torch_serving.models.backends.torchscript.program import TorchScriptProgram


@pytest.mark.parametrize(
    ("arguments", "body", "bounded"),
    [
        ("x: Tensor", "return x + 1", True),
        ("x: Tensor, y: Tensor", "return torch.mm(x, y)", True),
        ("x: Tensor, y: Tensor", "return x if x.size(0) > 3 else y", True),
        ("x: List[Tensor]", "return x[0]", False),
        ("x: Tuple[Tensor, Tensor]", "return x[0]", False),
        ("x: Dict[str, Tensor]", "return x['a']", False),
        ("x: Tensor, y: Optional[Tensor] = None", "return x", False),
        ("x: Tensor, s: str", "return x", False),
        ("x: Tensor", "return x.reshape(x.size(0), -1)", True),
        ("x: Tensor, n: int", "return x", False),
        ("x: Tensor, f: float", "return x", False),
        ("x: Tensor, b: bool", "return x", False),
        ("x: Tensor, n: int = 2", "return x", False),
        ("x: Tensor, n: List[int]", "return x", False),
        ("x: Tensor, n: Dict[str, Tuple[Tensor, int]]", "return x", False),
        ("x: Tensor", "for _ in range(3):\n        x = x + 1\n    return x", False),
        ("x: Tensor", "while bool(x.sum() > 0):\n        x = x - 1\n    return x", False),
        ("x: Tensor", "return torch.stack([y + 1 for y in x])", False),
        ("x: Tensor", "return torch.zeros(int(x))", False),
        ("x: Tensor", "return torch.zeros(int(x.item()))", False),
        ("x: Tensor, s: str", "return torch.zeros(int(s))", False),
        (
            "x: Tensor",
            "if x.numel() > 3:\n        for _ in range(9):\n            x = x + 1\n    return x",
            False,
        ),
        # the sizes of these results are what the numbers in a tensor say
        ("x: Tensor", "return torch.arange(float(x))", False),
        ("x: Tensor", "return torch.arange(x[0])", False),
        ("x: Tensor, s: str", "return torch.arange(float(s))", False),
        ("x: Tensor", "return torch.bincount(x)", False),
        ("x: Tensor", "return torch.repeat_interleave(x)", False),
        ("x: Tensor", "return x.repeat_interleave(x)", False),
        # branches that the numbers in a tensor choose
        ("x: Tensor", "return x if bool(x.sum() > 0) else x @ x", False),
        ("x: Tensor", "if x.sum() > 0:\n        x = x @ x\n    return x", False),
        ("x: Tensor", "return x if torch.is_nonzero(x.sum()) else x @ x", False),
        ("x: Tensor", "return x if torch.equal(x, x + 1) else x @ x", False),
        ("x: Tensor", "return x if torch.allclose(x, x + 1) else x @ x", False),
        ("x: Tensor", "return torch.jit.wait(torch.jit.fork(torch.nonzero, x))", False),
    ],
)
def test_what_bounds_the_time_of_a_run(arguments: str, body: str, bounded: bool):
    program = TorchScriptProgram(scripted(arguments, "Tensor", body))
    assert program.methods()["forward"].bounded_by_shapes is bounded


def test_loops_that_only_training_runs_take_no_time():
    norm = torch.jit.script(torch.nn.BatchNorm1d(3)).eval()
    assert TorchScriptProgram(norm).methods()["forward"].bounded_by_shapes

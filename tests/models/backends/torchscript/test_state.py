"""What a method keeps from one run to the next is seen in its graph."""

import io
from typing import Any, Dict, List, Optional  # noqa: UP035 (TorchScript reads them)

import pytest
import torch
from torch import Tensor

from torch_serving.models.backends.torchscript.program import TorchScriptProgram


class Keeps(torch.nn.Module):
    """All that a module may keep; each test defines what its `forward` does with it."""

    seen: Dict[str, Tensor]  # noqa: UP006
    rows: List[Tensor]  # noqa: UP006
    pairs: Dict[str, List[Tensor]]  # noqa: UP006
    last: Optional[Tensor]  # noqa: UP045

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("work", torch.zeros(2, 8))
        self.weight = torch.nn.Parameter(torch.zeros(8), requires_grad=False)
        self.seen, self.rows, self.pairs, self.last = {}, [torch.ones(8)], {}, None
        self.calls = 0
        self.norm = torch.nn.BatchNorm1d(8)
        self.cell = torch.nn.Module()
        self.cell.register_buffer("hidden", torch.zeros(8))


def added(x: Tensor, y: Tensor) -> Tensor:
    return x.add_(y)


def state_of(module: Any) -> str:
    file = io.BytesIO()
    torch.jit.save(module, file)
    file.seek(0)
    return TorchScriptProgram(torch.jit.load(file).eval()).state


def keeps(**bodies: str) -> Any:
    """A module with methods of these bodies."""
    module = torch.jit._recursive.create_script_module(  # type: ignore[attr-defined]
        Keeps(), lambda _: [], share_types=False
    )
    for name, body in bodies.items():
        lines = "".join(f"    {line}\n" for line in body.split("\n"))
        module.define(f"def {name}(self, x: Tensor):\n{lines}")
    return module


KEPT = {
    "self.work.copy_(x)\nreturn self.work": "work",
    "self.calls += 1\nreturn x": "calls",
    "self.calls = self.calls + 1\nreturn x": "calls",
    "self.last = x\nreturn x": "last",
    "self.work[0] = x\nreturn x": "work",
    "self.work += x\nreturn x": "work",
    "self.work.view(-1)[3:].t().add_(1)\nreturn x": "work",
    "y = self.work.detach()\ny.mul_(2)\nreturn y": "work",
    "torch.add(x, x, out=self.work)\nreturn x": "work",
    "self.cell.hidden.add_(x)\nreturn x": "cell.hidden",
    "self.rows.append(x)\nreturn x": "rows",
    "self.rows[0].add_(x)\nreturn x": "rows",
    "self.rows.pop()\nreturn x": "rows",
    "self.rows.clear()\nreturn x": "rows",
    'self.seen["a"] = x\nreturn x': "seen",
    'self.seen["a"].add_(x)\nreturn x': "seen",
    'self.pairs["a"].append(x)\nreturn x': "pairs",
    "both = [self.work, x]\nboth[0].add_(1)\nreturn x": "work",
    "both = (self.work, x)\nfirst, second = both\nfirst.add_(1)\nreturn second": "work",
    "if bool(x.sum() > 0):\n    self.work.add_(1)\nreturn x": "work",
    "y = x if bool(x.sum() > 0) else self.work\ny.add_(1)\nreturn y": "work",
    "for i in range(3):\n    self.work[i].add_(1)\nreturn x": "work",
    "y = x\nfor i in range(3):\n    y.add_(1)\n    y = self.work\nreturn y": "work",
    "return torch.batch_norm(x, None, None, self.norm.running_mean, self.norm.running_var, "
    "True, 0.1, 0.1, False)": "norm.running_mean",
}
NOTHING = (
    "return x + self.weight",
    "return self.work",
    "x.add_(self.weight)\nreturn x",
    "y = x.add_(self.weight)\ny.mul_(2)\nreturn y.relu_()",
    "y = torch.relu_(x + self.weight)\ny[0] = 1\nreturn y",
    "rows = [x]\nrows.append(self.weight)\nrows.append(x)\nreturn torch.stack(rows)",
    'found = {"a": self.weight}\nfound["b"] = x\nreturn found',
    "y = self.work.clone()\ny.add_(x)\nreturn y",
    "y = self.work.expand(2, 8) * 1\ny.add_(x)\nreturn y",
    "y = self.weight.detach_()\nreturn y",
    "return self.norm(x)",
    "if self.training:\n    self.work.add_(1)\nreturn x",
    "if self.last is not None:\n    self.work.add_(1)\nreturn x",
    "if self.calls > 0 and self.training:\n    self.work.add_(1)\nreturn x",
    "y = torch.zeros_like(x)\nfor i in range(3):\n    y[i] = self.weight.sum()\nreturn y",
)


@pytest.mark.parametrize("body", KEPT)
def test_what_outlives_a_run_is_named(body: str):
    assert state_of(keeps(forward=body)) == f"`{KEPT[body]}`"


@pytest.mark.parametrize("body", NOTHING)
def test_what_ends_with_a_run_is_no_state(body: str):
    assert state_of(keeps(forward=body)) == ""


def test_another_method_may_write_what_a_method_reads():
    module = keeps(forward="return self.work + x", store="self.work.copy_(x)\nreturn x")
    assert state_of(module) == "`work`"


def test_a_setting_that_a_method_assigns_is_not_known():
    other = "if self.calls > 0:\n    self.work.add_(1)\nreturn x"
    methods = TorchScriptProgram(keeps(forward="self.calls = 1\nreturn x", other=other)).methods()
    assert methods["forward"].state == "`calls`"
    assert methods["other"].state == "`work`"


def test_state_is_found_in_what_another_thread_runs():
    class Forks(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("work", torch.zeros(8))

        def forward(self, x: Tensor) -> Tensor:
            return torch.jit.wait(torch.jit.fork(added, self.work, x))

    class Reads(Forks):
        def forward(self, x: Tensor) -> Tensor:
            return torch.jit.wait(torch.jit.fork(added, x, self.work))

    assert state_of(torch.jit.script(Forks())) == "`work`"
    assert state_of(torch.jit.script(Reads())) == ""


class Normalizes(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.jit.wait(torch.jit.fork(self.norm, x))


def test_layers_that_another_thread_runs_are_not_in_training_either():
    assert state_of(torch.jit.script(Normalizes())) == ""


def test_traced_modules_that_keep_a_buffer_are_seen():
    class Fill(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("work", torch.zeros(8))

        def forward(self, x: Tensor) -> Any:
            self.work.copy_(x)
            return self.work

    traced = torch.jit.trace(Fill(), torch.ones(8), check_trace=False)
    assert state_of(traced) == "`work`"


def test_constants_are_state_too():
    kept = torch.zeros(8)

    def fill(x: Tensor) -> Tensor:
        return kept.add_(x)

    assert state_of(torch.jit.trace(fill, torch.ones(8), check_trace=False)) == "a constant"


def test_ordinary_layers_keep_nothing():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.InstanceNorm2d(4),
        torch.nn.ReLU(inplace=True),
        torch.nn.Dropout(inplace=True),
    )
    assert state_of(torch.jit.script(layers)) == ""
    del layers[2]
    assert state_of(torch.jit.trace(layers.eval(), torch.ones(2, 3, 8, 8))) == ""
    for module in (torch.nn.LSTM(8, 4), torch.nn.TransformerEncoderLayer(8, 2), torch.nn.GRU(8, 4)):
        assert state_of(torch.jit.script(module)) == ""


def test_gradients_of_parameters_are_state():
    assert state_of(keeps(forward="x.sum().backward()\nreturn x")) == "gradients"

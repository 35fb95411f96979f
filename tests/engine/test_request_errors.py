"""What operators refuse in a request is the client's to mend; what a model raises itself is not."""

from typing import Any

import pytest
import torch
from torch import nn

from tests.support.loaded import method_of
from tests.support.servables import scripted
from torch_serving.errors import (
    IncompatibleDtype,
    IncompatibleShape,
    InferenceFailed,
    InvalidInput,
    ServingError,
)


def floats(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


def ints(*shape: int, value: int = 0) -> torch.Tensor:
    return torch.full(shape, value)


def module(layer: nn.Module) -> torch.jit.ScriptModule:
    return torch.jit.script(layer.eval())


def code(body: str, arguments: str = "x: Tensor, y: Tensor") -> torch.jit.ScriptModule:
    return scripted(arguments, "Tensor", body)


ONE = "x: Tensor"
SHAPES = [
    (module(nn.Linear(4, 2)), [floats(1, 3)]),
    (module(nn.Linear(4, 2)), [floats()]),
    (module(nn.Conv2d(3, 2, 3)), [floats(1, 4, 8, 8)]),
    (module(nn.Conv2d(3, 2, 3)), [floats(3)]),
    (module(nn.Conv2d(3, 2, 3)), [floats(1, 3, 2, 2)]),
    (module(nn.ConvTranspose2d(3, 2, 3)), [floats(1, 4, 8, 8)]),
    (module(nn.BatchNorm1d(3)), [floats(2, 4)]),
    (module(nn.LayerNorm(3)), [floats(2, 4)]),
    (module(nn.GroupNorm(2, 4)), [floats(2, 3)]),
    (module(nn.LSTMCell(4, 2)), [floats(2, 3)]),
    (module(nn.MaxPool2d(3)), [floats(1, 3, 2, 2)]),
    (module(nn.MaxPool2d(3)), [floats(2)]),
    (module(nn.Softmax(1)), [floats(3)]),
    (module(nn.Flatten(1)), [floats(3)]),
    (module(nn.PReLU(3)), [floats(1, 4)]),
    (code("return x + y"), [floats(3), floats(4)]),
    (code("return x.add_(y)"), [floats(3), floats(2, 3)]),
    (code("return torch.mm(x, y)"), [floats(3), floats(4, 4)]),
    (code("return x @ y"), [floats(3, 3), floats(4)]),
    (code("return x @ y"), [floats(3), floats(4)]),
    (code("return torch.bmm(x, y)"), [floats(1, 3, 3), floats(1, 4, 3)]),
    (code("return torch.bmm(x, y)"), [floats(3, 3), floats(1, 4, 3)]),
    (code("return torch.cat([x, y])"), [floats(3, 2), floats(3, 3)]),
    (code("return torch.cat([x, y])"), [floats(3, 2), floats(3)]),
    (code("return torch.stack([x, y])"), [floats(3, 2), floats(3)]),
    (code("return x[y]"), [floats(3), floats(4).bool()]),
    (code("return torch.einsum('ij,jk->ik', x, y)"), [floats(2, 3), floats(2, 3)]),
    (code("return torch.einsum('ij,jk->ik', x, y)"), [floats(2), floats(2, 3)]),
    (code("return x[:, 1]", ONE), [floats(2)]),
    (code("return x[0]", ONE), [floats()]),
    (code("return x + x.size(3)", ONE), [floats(2)]),
    (code("return x.permute(0, 2, 1)", ONE), [floats(2, 2)]),
    (code("return x.view(-1, 4)", ONE), [floats(3)]),
    (code("return x.expand(2, 4)", ONE), [floats(3)]),
    (code("return x.expand(2)", ONE), [floats(3, 3)]),
    (code("return x.expand(-2)", ONE), [floats(3)]),
    (code("return x.expand(-1, 3)", ONE), [floats(3)]),
    (code("return x.repeat(2)", ONE), [floats(3, 3)]),
    (code("return x.view(0, -1)", ONE), [floats(0)]),
    (code("return x.unflatten(0, [2, 2])", ONE), [floats(3)]),
    (code("return x.unfold(0, 5, 1)", ONE), [floats(3)]),
    (code("return x.diag()", ONE), [floats(2, 2, 2)]),
    (code("return x.tril()", ONE), [floats(3)]),
    (module(nn.PixelShuffle(2)), [floats(1, 3, 2, 2)]),
    (code("return x.split([1, 2])[0]", ONE), [floats(4)]),
    (code("return x.t()", ONE), [floats(3, 3, 3)]),
    (code("return x * float(x)", ONE), [floats(4)]),
    (code("return torch.nn.functional.pad(x, [1, 1, 1, 1])", ONE), [floats(3)]),
]
TYPES = [
    (module(nn.Linear(4, 2)), [ints(1, 4)]),
    (module(nn.Linear(4, 2)), [floats(1, 4).double()]),
    (module(nn.Linear(4, 2).half()), [floats(1, 4)]),
    (module(nn.Embedding(5, 2)), [floats(1, 2)]),
    (module(nn.EmbeddingBag(5, 2)), [floats(1, 2)]),
    (module(nn.Conv2d(3, 2, 3)), [floats(1, 3, 8, 8).byte()]),
    (module(nn.LayerNorm(3)), [floats(2, 3).double()]),
    (module(nn.Softmax(1)), [ints(3, 3)]),
    (module(nn.GELU()), [ints(3, 3)]),
    (module(nn.ReLU()), [floats(3).bool()]),
    (code("return x.add_(y)"), [ints(3), floats(3)]),
    (code("return torch.mm(x, y)"), [floats(3, 3), floats(3, 3).double()]),
    (code("return torch.dot(x, y)"), [floats(3), ints(3)]),
    (code("return x[y]"), [floats(3), floats(1)]),
    (code("return x.gather(0, y)"), [floats(3), floats(1)]),
    (code("return x.masked_fill(y, 1.0)"), [floats(3), floats(3)]),
    (code("return torch.where(x, y, y)"), [floats(3), floats(3)]),
    (code("return x.mean()", ONE), [ints(4)]),
    (code("return -x", ONE), [floats(3).bool()]),
    (code("return x - x", ONE), [floats(3).bool()]),
    (code("return torch.nn.functional.one_hot(x, 3)", ONE), [floats(3)]),
    (
        code("return torch.nn.functional.scaled_dot_product_attention(x, y, y)"),
        [floats(1, 2, 3), floats(1, 2, 3).double()],
    ),
]
INDICES = [
    (module(nn.Embedding(5, 2)), [ints(1, 2, value=5)]),
    (module(nn.Embedding(5, 2)), [ints(1, 2, value=-1)]),
    (module(nn.EmbeddingBag(5, 2)), [ints(1, 2, value=5)]),
    (code("return x[3]", ONE), [floats(2)]),
    (code("return x[y]"), [floats(3), ints(1, value=5)]),
    (code("return x.gather(0, y)"), [floats(3), ints(1, value=5)]),
    (code("return x.index_select(0, y)"), [floats(3), ints(1, value=5)]),
    (code("return x.take(y)"), [floats(3), ints(1, value=5)]),
    (code("return x.narrow(0, 2, 3)", ONE), [floats(4)]),
    (code("return x.topk(5)[0]", ONE), [floats(3)]),
    (code("return torch.nn.functional.one_hot(x, 3)", ONE), [ints(1, value=7)]),
    (code("return torch.nn.functional.one_hot(x, 3)", ONE), [ints(1, value=-7)]),
    (code("return x.narrow(0, 5, 0)", ONE), [floats(4)]),
    (code("return x.kthvalue(5)[0]", ONE), [floats(3)]),
    (code("return d['user']", "d: Dict[str, Tensor]"), [{"item": floats(1)}]),
    (code("return d[3]", "d: Dict[int, Tensor]"), [{1: floats(1)}]),
    (code("return d[2]", "d: List[Tensor]"), [[floats(1)]]),
]
NUMBER = "n: int"
MANY = [
    (code("return torch.zeros([n])", NUMBER), [-1]),
    (code("return torch.empty([n])", NUMBER), [-1]),
    (code("return torch.ones([2, n])", NUMBER), [-1]),
    (code("return torch.full([n], 2.0)", NUMBER), [-1]),
    (code("return torch.rand([n])", NUMBER), [-1]),
    (code("return torch.randperm(n)", NUMBER), [-1]),
    (code("return torch.zeros([n])", NUMBER), [1 << 62]),
    (code("return torch.eye(n)", NUMBER), [-1]),
    (code("return torch.arange(n)", NUMBER), [-1]),
    (code("return torch.arange(0, 5, n)", NUMBER), [0]),
    (code("return torch.arange(x)", "x: float"), [float("inf")]),
    (code("return torch.linspace(0, 1, n)", NUMBER), [-1]),
    (code("return torch.randint(n, [1])", NUMBER), [0]),
    (code("return torch.ones(2).new_zeros([n])", NUMBER), [-1]),
    (code("return torch.ones(2).repeat(n)", NUMBER), [-1]),
    (code("return torch.ones(2).repeat_interleave(n)", NUMBER), [-1]),
    (code("return torch.ones(4).view(n)", NUMBER), [-2]),
    (code("return torch.ones(4).narrow(0, 0, n)", NUMBER), [-1]),
    (code("return torch.ones(4).unfold(0, n, 1)", NUMBER), [-1]),
    (code("return torch.ones(4).unfold(0, 1, n)", NUMBER), [0]),
    (code("return torch.ones(4).chunk(n)[0]", NUMBER), [0]),
    (code("return torch.ones(4).split(n)[0]", NUMBER), [-1]),
    (code("return torch.ones(4).split(n)[0]", NUMBER), [0]),
    (code("return torch.ones(4).tensor_split(n)[0]", NUMBER), [0]),
    (code("return torch.multinomial(torch.ones(4), n)", NUMBER), [5]),
    (code("return torch.multinomial(torch.ones(4), n)", NUMBER), [0]),
    (
        code("return torch.nn.functional.interpolate(torch.ones(1, 1, 2, 2), [n, n])", NUMBER),
        [-1],
    ),
]
WORDS = "mat1 and mat2 shapes cannot be multiplied (1x3 and 4x2)"
OWN = [
    (code(f"raise RuntimeError('{WORDS}')", ONE), [floats(1)]),
    (code("raise KeyError('user')", ONE), [floats(1)]),
    (code(f"assert x.dim() == 2, '{WORDS}'\n    return x", ONE), [floats(1)]),
    (code(f"torch._assert(x.dim() == 2, '{WORDS}')\n    return x", ONE), [floats(1)]),
    (code("return torch.linalg.inv(x)", ONE), [floats(3, 3)]),
    (code("return x * (4 // x.dim())", ONE), [floats()]),
]


def error_of(model: torch.jit.ScriptModule, inputs: list[Any]) -> ServingError:
    with torch.inference_mode(), pytest.raises(ServingError) as caught:
        method_of(model).run(inputs)
    return caught.value


@pytest.mark.parametrize(("model", "inputs"), SHAPES)
def test_shapes_that_do_not_fit(model: torch.jit.ScriptModule, inputs: list[Any]):
    assert type(error_of(model, inputs)) is IncompatibleShape


@pytest.mark.parametrize(("model", "inputs"), TYPES)
def test_types_that_do_not_fit(model: torch.jit.ScriptModule, inputs: list[Any]):
    assert type(error_of(model, inputs)) is IncompatibleDtype


@pytest.mark.parametrize(("model", "inputs"), [*INDICES, *MANY])
def test_indices_and_keys_that_are_not_there(model: torch.jit.ScriptModule, inputs: list[Any]):
    assert type(error_of(model, inputs)) is InvalidInput


@pytest.mark.parametrize(("model", "inputs"), OWN)
def test_what_a_model_raises_and_what_may_be_its_own_fault(
    model: torch.jit.ScriptModule, inputs: list[Any]
):
    assert type(error_of(model, inputs)) is InferenceFailed


def test_the_client_reads_the_words_of_torch_and_the_log_where_it_was():
    error = error_of(module(nn.Linear(4, 2)), [floats(1, 3)])
    assert error.detail == f"RuntimeError: {WORDS}"
    assert "Traceback of TorchScript" in error.trace

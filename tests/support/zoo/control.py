"""Models with control flow, shapes made of values, state, chance, and operators of libraries."""

import torch
from torch import Tensor, nn

from tests.support.zoo.model import BATCH, Inputs, ZooModel, normal, positional


class Cond(nn.Module):
    """One of two branches, chosen by a number; both read a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        def positive(x: Tensor) -> Tensor:
            return self.linear(x).sin()

        def negative(x: Tensor) -> Tensor:
            return self.linear(x).cos() - 1

        return torch.cond(x.sum() > 0, positive, negative, (x,)) * 2


class NestedCond(nn.Module):
    """A branch in a branch, several results, and a choice by size."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def inner(x: Tensor) -> tuple[Tensor, Tensor]:
            return torch.cond(x.max() > 1, lambda x: (x + 1, x * 3), lambda x: (x - 1, -x), (x,))

        def outer(x: Tensor) -> tuple[Tensor, Tensor]:
            return x * 2, x.abs()

        return torch.cond(x.shape[0] > 3, inner, outer, (x,))


class WhileLoop(nn.Module):
    """Turns until the number is reached."""

    def forward(self, steps: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        def condition(steps: Tensor, x: Tensor) -> Tensor:
            return steps > 0

        def body(steps: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return steps - 1, x * 1.5

        return torch._higher_order_ops.while_loop(condition, body, (steps, x))


class Scan(nn.Module):
    """A running state over the rows."""

    def forward(self, start: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        def step(state: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
            state = state * 0.5 + row
            return state, state.sin()

        return torch._higher_order_ops.scan(step, start, rows)


class Nonzero(nn.Module):
    """How many rows the result has is decided by the numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nonzero(x > 0)


class Chosen(nn.Module):
    """Rows chosen by a mask, and their mean."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x[mask].sum(0)


class Item(nn.Module):
    """A number in a tensor becomes a size, within bounds that the program checks."""

    def forward(self, count: Tensor) -> Tensor:
        size = count.item()
        torch._check(size >= 1)
        torch._check(size <= 100)
        return torch.ones(size, 2) * size


class Counter(nn.Module):
    """Counts its runs in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.zeros(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.count += 1
        self.total.copy_(self.total + x)
        return self.total * 1, self.count * 1


class WritesInput(nn.Module):
    """Writes into its own argument."""

    def forward(self, x: Tensor) -> Tensor:
        x.add_(1)
        return x * 2


class Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0 + torch.rand_like(x) + torch.randn(x.shape[0], 1).abs()


class NoGradient(nn.Module):
    """A part of the graph that asks for no gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = self.linear(x)
        return y + self.linear(x).detach()


class Autocast(nn.Module):
    """A part of the graph that computes with fewer bits."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            y = self.linear(x)
        return y.float() + x


class LibraryOperator(nn.Module):
    """An operator of a library, which the server must import."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.zoo.scaled(x, 3.0) + 1


def dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))


class Map(nn.Module):
    """The same for each row."""

    def forward(self, rows: Tensor, by: Tensor) -> Tensor:
        return torch._higher_order_ops.map(lambda row, by: row.cumsum(0) * by, rows, by)


class ValueAsNumber(nn.Module):
    """A float of a tensor that goes on as a number."""

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return x * scale.item() + 1


B = {0: BATCH}

CONTROL = (
    ZooModel("cond", Cond, positional(normal(-1, 3)), (B,), (2, 1, 3, 4), mixes_rows=True),
    ZooModel(
        "nested_cond", NestedCond, positional(normal(-1)), (B,), (3, 1, 4, 8), mixes_rows=True
    ),
    ZooModel(
        "while_loop",
        WhileLoop,
        lambda size: Inputs((torch.tensor(size), torch.ones(3))),
        sizes=(3, 0, 7),
    ),
    ZooModel("scan", Scan, positional(normal(2), normal(-1, 2)), ({}, B), (4, 1, 6), reason="scan"),
    ZooModel("map", Map, positional(normal(-1, 2), normal(2)), (B, {}), (4, 2, 6), reason="map"),
    ZooModel(
        "value_as_number",
        ValueAsNumber,
        positional(normal(-1), lambda _: torch.rand(())),
        (B, {}),
        (3, 1),
    ),
    ZooModel("nonzero", Nonzero, positional(normal(-1, 2)), (B,), (3, 1, 8)),
    ZooModel(
        "chosen",
        Chosen,
        positional(normal(-1, 2), lambda size: torch.rand(size) > 0.5),
        (B, B),
        (5, 1, 8),
    ),
    ZooModel("item", Item, lambda size: Inputs((torch.tensor(size),)), sizes=(3, 1, 9)),
    ZooModel("counter", Counter, positional(normal(2)), counts=True),
    ZooModel("core_counter", Counter, positional(normal(2)), counts=True, decomposes=True),
    ZooModel("writes_input", WritesInput, positional(normal(-1)), (B,), (3, 1, 5), mixes_rows=True),
    ZooModel(
        "core_writes_input",
        WritesInput,
        positional(normal(-1)),
        (B,),
        (3, 1, 5),
        decomposes=True,
        mixes_rows=True,
    ),
    ZooModel(
        "dropout", dropout, positional(normal(-1, 4)), (B,), (2, 1, 5), trains=True, draws=True
    ),
    ZooModel("noise", Noise, positional(normal(-1, 2)), (B,), (3, 1, 5), draws=True),
    ZooModel("no_gradient", NoGradient, positional(normal(-1, 3)), (B,), (2, 1, 5)),
    ZooModel("autocast", Autocast, positional(normal(-1, 3)), (B,), (2, 1, 5), reason="autocast"),
    ZooModel(
        "library_operator",
        LibraryOperator,
        positional(normal(-1)),
        (B,),
        (3, 1, 5),
        imports=("tests.support.zoo.operators",),
    ),
)

"""Exported programs of several kinds of arguments and results."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.export import Dim
from torch.utils import _pytree

from tests.support.exported import export, save


class Mlp(torch.nn.Module):
    """One tensor, and what became constants."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(
        self, x: Any, mask: Any = None, mode: str = "mean", scale: float = 0.5, flag: bool = True
    ) -> Any:
        y = self.layer(x) * scale
        return {"y": y, "n": 3, "pair": (y.sum(1), None)}


class Two(torch.nn.Module):
    def forward(self, ids: Any, mask: Any) -> Any:
        return ids * mask


class Derived(torch.nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return torch.cat([x, x]) + y


class Fours(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x.reshape(4, -1).sum(0)


class Count(torch.nn.Module):
    def forward(self, x: Any, count: int) -> Any:
        return x[:, :count].sum(1)


class Kinds(torch.nn.Module):
    def forward(self, b16: Any, f16: Any, i32: Any, u8: Any, b: Any) -> Any:
        return b16 + 1, f16 + 1, i32 + 1, u8 + 1, ~b


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


@dataclasses.dataclass
class Box:
    low: torch.Tensor
    margin: int = 3
    mask: torch.Tensor | None = None


_pytree._register_namedtuple(Pair, serialized_type_name="wrong.Pair")  # type: ignore[attr-defined]
torch.export.register_dataclass(Box, serialized_type_name="wrong.Box")


class Trees(torch.nn.Module):
    def forward(self, features: Any, images: Any, pair: Any, box: Any) -> Any:
        named = {"sum": features["user"] + features["item"], "box": box.low * box.margin}
        return named, [image + 1 for image in images], Pair(pair.right, pair.left)


ROWS = Dim("rows", min=1, max=8)
SIZE = Dim("size", min=2, max=5)


def two() -> torch.Tensor:
    """A tensor of its own: torch.export takes one that comes twice for one argument."""
    return torch.zeros(2)


PROGRAMS: dict[str, tuple[Any, ...]] = {
    "mlp": (
        Mlp(),
        (torch.zeros(2, 4), None, "mean", 0.5, True),
        {},
        {"x": {0: ROWS}, "mask": None, "mode": None, "scale": None, "flag": None},
    ),
    "auto": (torch.nn.Linear(4, 2), (torch.zeros(3, 4),), {}, {"input": {0: Dim.AUTO}}),
    "fixed": (torch.nn.Linear(4, 2), (torch.zeros(3, 4),)),
    "two": (
        Two(),
        (torch.zeros(2, 3).long(), torch.zeros(2, 3).bool()),
        {},
        {"ids": {0: ROWS, 1: SIZE}, "mask": {0: ROWS, 1: SIZE}},
    ),
    "derived": (
        Derived(),
        (torch.zeros(3, 2), torch.zeros(6, 2)),
        {},
        {"x": {0: SIZE}, "y": {0: 2 * SIZE}},
    ),
    "fours": (Fours(), (torch.zeros(8, 3),), {}, {"x": {0: Dim.AUTO}}),
    "count": (Count(), (torch.zeros(2, 6), 3), {}, {"x": None, "count": Dim.DYNAMIC}),
    "kinds": (
        Kinds(),
        (two().bfloat16(), two().half(), two().int(), two().byte(), two().bool()),
    ),
    "trees": (
        Trees(),
        (
            {"user": two(), "item": two()},
            [two(), two()],
            Pair(two(), two()),
            Box(two()),
        ),
    ),
}  # fmt: skip


def save_programs(folder: Path) -> None:
    for name in PROGRAMS:
        save_program(name, folder)


def save_program(name: str, folder: Path) -> None:
    save(export(*PROGRAMS[name]), folder / f"{name}.pt2")

"""Exported programs with all kinds of signatures, as documents."""

import copy
import dataclasses
from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch.export import Dim
from torch.utils import _pytree

from tests.support.exported import document_of, export
from torch_serving.models.backends.export.signature.signature import (
    ProgramSignature,
    program_signature,
)

ROWS = torch.zeros(4, 3)


@dataclasses.dataclass
class Box:
    high: torch.Tensor
    low: torch.Tensor
    margin: int = 3
    mask: torch.Tensor | None = None


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


torch.export.register_dataclass(Box, serialized_type_name="tests.Box")
_pytree._register_namedtuple(Pair, serialized_type_name="tests.Pair")  # type: ignore[attr-defined]


class Trees(torch.nn.Module):
    def forward(
        self,
        pair: Any,
        box: Any,
        images: Any,
        features: Any,
        *rest: Any,
        factor: int = 2,
        more: Any,
    ) -> Any:
        first = Pair(pair.left + pair.right, box.high * factor)
        listed = [image + 1 for image in images]
        named = {"one": (box.low + rest[0],), "none": None, "seven": 7, "again": more["q"] + 1}
        return first, listed, named, features["u"] - features["v"]


class Burnt(torch.nn.Module):
    def forward(
        self, x: Any, flag: bool, name: str, nothing: Any = None, scale: float = 0.5
    ) -> Any:
        return x * scale if flag and name and nothing is None else x


class Derived(torch.nn.Module):
    def forward(self, x: Any, y: Any, z: Any) -> Any:
        return torch.cat([x, y]), x.reshape(-1), z[:, : y.shape[0]]


class Integers(torch.nn.Module):
    def forward(self, x: Any, y: Any, count: int) -> Any:
        return x[:count] + y.sum(), x.shape[0], count * 2


class Fours(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x.reshape(4, -1).sum(0)


class Linear(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


class Rest(torch.nn.Module):
    def forward(self, x: Any, *rest: Any) -> Any:
        return torch.stack([x[:3], rest[0][-3:]]) if rest[0].shape[0] > x.shape[0] else x


SIZE = Dim("size", min=2, max=10)
AUTO = Dim.AUTO
PROGRAMS: dict[str, tuple[Any, ...]] = {
    "trees": (
        Trees(),
        (Pair(ROWS, ROWS), Box(ROWS, ROWS), [ROWS, ROWS], {"u": ROWS, "v": ROWS}, ROWS),
        {"factor": 5, "more": OrderedDict(q=ROWS)},
    ),
    "burnt": (Burnt(), (ROWS, True, "abc", None, 0.1)),
    "derived": (
        Derived(),
        (ROWS, torch.zeros(5, 3), torch.zeros(8, 7)),
        {},
        {"x": {0: SIZE}, "y": {0: SIZE + 1}, "z": {0: 2 * SIZE, 1: AUTO}},
    ),
    "integers": (
        Integers(),
        (ROWS, ROWS, 2),
        {},
        {"x": {0: AUTO}, "y": {0: AUTO}, "count": AUTO},
    ),
    "fours": (Fours(), (torch.zeros(8, 3),), {}, {"x": {0: AUTO}}),
    "linear": (Linear(), (ROWS,), {}, {"x": {0: Dim("rows", min=1, max=64)}}),
    "open": (Linear(), (ROWS,), {}, {"x": {0: Dim("rows")}}),
    "fixed": (Linear(), (ROWS,)),
    "rest": (
        Rest(),
        (torch.zeros(5, 3), torch.zeros(6, 3)),
        {},
        {"x": {0: AUTO}, "rest": ({0: AUTO},)},
    ),
}
DOCUMENTS: dict[str, Any] = {}


def document(name: str) -> Any:
    if name not in DOCUMENTS:
        DOCUMENTS[name] = document_of(export(*PROGRAMS[name]))
    return copy.deepcopy(DOCUMENTS[name])


def signature(name: str) -> ProgramSignature:
    return program_signature(document(name))


def with_range(least: Any, most: Any) -> Any:
    changed = document("linear")
    changed["range_constraints"]["s77"] = {"min_val": least, "max_val": most}
    return changed

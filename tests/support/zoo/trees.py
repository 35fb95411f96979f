"""Arguments and results that are trees: lists, tuples, dictionaries, keywords, burnt-in values."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from tests.support.zoo.model import BATCH, Inputs, ZooModel, normal, positional, whole


class Detection(NamedTuple):
    boxes: Tensor
    scores: Tensor


@dataclass
class Point:
    """A class that the model's author registered."""

    x: Tensor
    y: Tensor


_pytree._register_namedtuple(Detection, serialized_type_name="zoo.Detection")
torch.export.register_dataclass(Point, serialized_type_name="zoo.Point")


class DictionaryInput(nn.Module):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["right"] - 2 * batch["left"]


class NestedInput(nn.Module):
    """A list in a tuple beside a dictionary, each with tensors."""

    def forward(self, x: tuple[list[Tensor], Tensor], more: dict[str, list[Tensor]]) -> Tensor:
        (first, second), third = x
        return first + second * third + torch.cat(more["parts"], 1)


class NamedTupleInput(nn.Module):
    def forward(self, found: Detection) -> Tensor:
        return found.boxes * found.scores[:, None]


class NamedTupleResult(nn.Module):
    def forward(self, x: Tensor) -> Detection:
        return Detection(x[:, :4], x[:, 4].sigmoid())


class NestedResult(nn.Module):
    """Tensors, numbers and None, in a dictionary of lists and tuples."""

    def forward(self, x: Tensor) -> dict[str, Any]:
        parts = list(x.split(2, 1))
        return {"parts": parts, "sum": (x.sum(1), None), "count": 3, "share": 0.5}


class SeveralResults(nn.Module):
    """The largest of each row, how many rows there are, and what was given."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, int, Tensor]:
        values, places = x.max(1)
        return values, places, x.shape[0], x


class RegisteredClass(nn.Module):
    """A dataclass in and out."""

    def forward(self, point: Point) -> Point:
        return Point(point.y, point.x + 1)


class OrderedResult(nn.Module):
    """An ordered dictionary, with one tensor under two names."""

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        y = x * 2
        return OrderedDict(b=y, a=y, c=x)


class SmallTrees(nn.Module):
    """Lists and tuples of one tensor and of none."""

    def forward(self, x: list[Tensor], y: tuple[()]) -> tuple[list[Tensor]]:
        return ([x[0] + 1],)


class NoArguments(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self) -> Tensor:
        return self.weight * 2


class Keywords(nn.Module):
    """Arguments by keyword alone, one of them a dictionary, one with a default."""

    def forward(
        self, x: Tensor, *, bias: Tensor, extra: dict[str, Tensor], scale: float = 2.0
    ) -> Tensor:
        return x * scale + bias + extra["more"]


class BurntIn(nn.Module):
    """A number, a word, a truth and None that the export makes part of the program."""

    def forward(
        self, x: Tensor, power: int, mode: str, mask: Tensor | None = None, flag: bool = False
    ) -> Tensor:
        y = x**power if mode == "power" else x
        y = y if mask is None else y * mask
        return -y if flag else y


class BurntInList(nn.Module):
    """A number and a tensor in one list."""

    def forward(self, pair: list[Any]) -> Tensor:
        return pair[0] * pair[1]


class NoTensors(nn.Module):
    """What it returns was known when it was exported, but for one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> tuple[int, None, Tensor]:
        return 7, None, self.weight


class CountedNumber(nn.Module):
    """A number of Python that stays an argument."""

    def forward(self, x: Tensor, count: int) -> tuple[Tensor, int]:
        return x[:, :count].sum(1), count + 1


B = {0: BATCH}

TREES = (
    ZooModel(
        "dictionary_input",
        DictionaryInput,
        lambda size: Inputs(({"left": torch.randn(size, 3), "right": torch.randn(size, 3)},)),
        ({"left": B, "right": B},),
        (2, 1, 5),
    ),
    ZooModel(
        "nested_input",
        NestedInput,
        lambda size: Inputs(
            (
                ([torch.randn(size, 4), torch.randn(size, 4)], torch.randn(size, 1)),
                {"parts": [torch.randn(size, 1), torch.randn(size, 3)]},
            )
        ),
        (([B, B], B), {"parts": [B, B]}),
        (2, 1, 5),
    ),
    ZooModel(
        "named_tuple_input",
        NamedTupleInput,
        lambda size: Inputs((Detection(torch.randn(size, 4), torch.rand(size)),)),
        (Detection(B, B),),  # type: ignore[arg-type]
        (2, 1, 5),
    ),
    ZooModel("named_tuple_result", NamedTupleResult, positional(normal(-1, 5)), (B,), (2, 1, 4)),
    ZooModel(
        "nested_result",
        NestedResult,
        positional(normal(-1, 5)),
        (B,),
        (2, 1, 4),
        no_package="torch asserts that a result is no float",
    ),
    ZooModel("several_results", SeveralResults, positional(normal(-1, 5)), (B,), (2, 1, 4)),
    ZooModel(
        "keywords",
        Keywords,
        lambda size: Inputs(
            (torch.randn(size, 3),),
            {"bias": torch.randn(3), "extra": {"more": torch.randn(size, 3)}, "scale": 0.5},
        ),
        {"x": B, "bias": None, "extra": {"more": B}, "scale": None},
        (2, 1, 5),
    ),
    ZooModel(
        "burnt_in",
        BurntIn,
        lambda size: Inputs((torch.randn(size, 3), 3, "power"), {"mask": None, "flag": True}),
        {"x": B, "power": None, "mode": None, "mask": None, "flag": None},
        (2, 1, 5),
    ),
    ZooModel(
        "burnt_in_list",
        BurntInList,
        lambda size: Inputs(([2.5, torch.randn(size)],)),
        ([None, B],),
        (3, 1),
    ),
    ZooModel(
        "registered_class",
        RegisteredClass,
        lambda size: Inputs((Point(torch.randn(size), torch.randn(size)),)),
        ([B, B],),
        (3, 1),
    ),
    ZooModel("ordered_result", OrderedResult, positional(normal(-1, 2)), (B,), (3, 1)),
    ZooModel(
        "small_trees", SmallTrees, lambda size: Inputs(([torch.randn(size)], ())), ([B], ()), (3, 1)
    ),
    ZooModel("no_arguments", NoArguments, positional()),
    ZooModel("no_tensors", NoTensors, positional(normal(2)), sizes=(2,)),
    ZooModel(
        "counted_number",
        CountedNumber,
        lambda size: Inputs((whole(9, 2, 6)(size), size)),
        (None, torch.export.Dim.DYNAMIC),
        (3, 2, 5),
        no_package="torch compiles no arguments that are numbers",
    ),
)

"""A model for each type that a request can hold, alone, in pairs and nested, and a value of it.

The models are saved by a process of their own, as those of users are: TorchScript remembers the
Python classes of what it has compiled, and no server knows them.
"""

import itertools
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch


class Point(NamedTuple):
    x: torch.Tensor
    n: int


class Segment(NamedTuple):
    start: Point
    names: dict[str, list[str]]
    label: str | None


class Color(Enum):
    RED = 1
    DARK_GREEN = 2


class Word(Enum):
    YES = "y: 'e s'"
    NO = "no"


class Known(Enum):
    """Only for a test that makes this class known to its process."""

    RED = 1


class Level(Enum):
    LOW = 0.5
    HIGH = 2.5


class Pairs(NamedTuple):
    """A dictionary whose keys Python can't hash."""

    key_type: str
    members: list[tuple[Any, Any]]


class Envelope(NamedTuple):
    """A value that stands in its envelope among named arguments too."""

    value: Any


class Case(NamedTuple):
    type: str
    value: Any


def floats(*values: float) -> np.ndarray:
    return np.array(values, "float32")


CPU = torch.device("cpu")
LEAVES = [
    Case("Tensor", floats(1, -2.5)),
    Case("int", -(2**63)),
    Case("float", 0.1),
    Case("bool", True),
    Case("complex", complex(-0.0, 2.5)),
    Case("number", 3),
    Case("str", 'é"\\\n\0\U0001f600'),
    Case("Device", CPU),
    Case("Color", Color.DARK_GREEN),
    Case("Word", Word.YES),
    Case("Level", Level.HIGH),
    Case("Point", Point(floats(7), 5)),
    Case("Segment", Segment(Point(floats(), 0), {"/": ["~", ""]}, None)),
    Case("Any", Envelope("text")),
]
ALONE = [
    *LEAVES,
    Case("Tensor", np.array(2.5, "float32")),
    Case("Tensor", np.zeros((2, 0, 3), "float32")),
    Case("Tensor", np.array([[[1.5]], [[-2.0]]], "float32")),
    Case("Tensor", Envelope(np.array([2**63 - 1, -1]))),
    Case("int", 2**63 - 1),
    Case("float", 3.0),
    Case("float", -0.0),
    Case("bool", False),
    Case("number", 2.5),
    Case("number", True),
    Case("number", Envelope(1 + 2j)),
    Case("str", ""),
    Case("NoneType", None),
    Case("Optional[int]", None),
    Case("Optional[Color]", Color.RED),
    Case("Tuple[()]", ()),
    Case("Tuple[Tensor]", (floats(3),)),
    Case("List[int]", []),
    Case("List[int]", [1]),
    Case("List[int]", [2, 1]),
    Case("List[List[int]]", [[]]),
    Case("List[Tensor]", [floats(1), floats()]),
    Case("List[Optional[Tensor]]", [None, floats(1)]),
    Case("List[Any]", [Envelope(1), Envelope([True, False]), Envelope({"a": 2.5}), None]),
    Case("Dict[str, int]", {}),
    Case("Dict[str, Tensor]", {"b": floats(1), "a": floats(2), "": floats()}),
    Case("Dict[int, str]", Pairs("int", [(2, "b"), (-1, "a")])),
    Case("Dict[int, str]", Pairs("int", [])),
    Case("Dict[float, str]", Pairs("float", [(0.5, "b"), (-2.0, "a")])),
    Case("Dict[bool, str]", Pairs("bool", [(True, "b"), (False, "a")])),
    Case("Dict[complex, str]", Pairs("complex", [(1 + 2j, "a")])),
    Case("Dict[Tensor, str]", Pairs("tensor", [(floats(1), "a"), (floats(1), "b")])),
    Case("Dict[str, Any]", {"a": Envelope(["b"]), "b": None}),
    Case("Union[int, str]", 3),
    Case("Union[int, str]", "3"),
    Case("Union[float, int]", 3),
    Case("Union[float, int]", 3.5),
    Case("Union[int, float, bool]", False),
    Case("Union[int, str, None]", None),
    Case("Union[Tensor, List[Tensor]]", Envelope([floats(1)])),
    Case("Union[List[float], List[int]]", [1, 2]),
    Case("Union[List[int], Dict[str, int]]", {"a": 1}),
    Case("Any", None),
    Case("Any", Envelope(floats(1, 2))),
    Case("Any", Envelope(Pairs("int", [(1, [None])]))),
]


def nested(wrap: str, case: Case) -> Case:
    type_, value = case
    return {
        "list": Case(f"List[{type_}]", [value, value]),
        "tuple": Case(f"Tuple[{type_}, str]", (value, "end")),
        "dict": Case(f"Dict[str, {type_}]", {"a": value, "b~/": value}),
        "ints": Case(f"Dict[int, {type_}]", Pairs("int", [(1, value), (0, value)])),
        "optional": Case(f"Optional[{type_}]", value),
    }[wrap]


WRAPS = ("list", "tuple", "dict", "ints", "optional")
PAIRS = [
    Case(f"Tuple[{a.type}, {b.type}]", (a.value, b.value)) for a, b in itertools.pairwise(LEAVES)
]
DEEP = [
    nested(outer, nested(middle, nested(inner, leaf)))
    for (outer, middle, inner), leaf in zip(
        itertools.product(WRAPS, repeat=3), itertools.cycle(LEAVES), strict=False
    )
]
CASES = [*ALONE, *PAIRS, *DEEP]
MORE = {  # file name -> the arguments of `forward`, its result and its body
    "union_of_enum.pt": ("v: Union[Color, int]", "Union[Color, int]", "return v"),
    "union_of_list.pt": ("v: Union[List[Color], int]", "Union[List[Color], int]", "return v"),
    "union_of_tuple.pt": ("v: Union[Point, int]", "Union[Point, int]", "return v"),
    "widened.pt": ("f: float, c: complex", "Tuple[float, complex]", "return f, c"),
    "tensor_and_list.pt": ("x: Tensor, d: List[Tensor]", "List[Tensor]", "return d"),
    "no_arguments.pt": ("", "int", "return 7"),
    "optional.pt": (
        "a: Optional[int], b: Optional[str] = None",
        "int",
        "return -1 if a is None else a",
    ),
    "any_enum.pt": ("x: Tensor", "Any", "return Color.RED"),
}


class Defaults(torch.nn.Module):
    def forward(
        self, n: int, s: str = "a", f: float = 0.5, b: bool = True, o: int | None = None
    ) -> tuple[int, str, float, bool, int | None]:
        return n, s, f, b, o

    @torch.jit.export
    def twice(self, n: int) -> int:
        return self._half(4 * n)

    @torch.jit.export
    def _half(self, n: int) -> int:
        return n // 2


@torch.jit.script
class Box:
    def __init__(self, size: int) -> None:
        self.size = size


def echo(type_: str) -> torch.jit.ScriptModule:
    return scripted(f"v: {type_}", type_, "return v")


def scripted(arguments: str, result: str, body: str) -> torch.jit.ScriptModule:
    module = type("Model", (torch.jit.ScriptModule,), {})()
    source = f"def forward(self, {arguments}) -> {result}:\n    {body}\n"
    module._c._define(module._concrete_type, source, globals().get)
    return module


def save_all(root: Path) -> None:
    for type_ in {case.type for case in CASES}:
        echo(type_).save(root / file_of(type_))
    for name, source in MORE.items():
        scripted(*source).save(root / name)
    save_box(root)
    scripted("n: int", "List[Box]", "return [Box(n)]").save(root / "box_result.pt")
    torch.jit.script(Defaults()).save(root / "defaults.pt")


def save_box(root: Path) -> None:
    echo("Box").save(root / "box.pt")


def file_of(type_: str) -> str:
    return f"{type_}.pt"


def save_in_a_process(root: Path, function: str = "save_all") -> None:
    code = f"import pathlib; from tests.support.typed_models import {function}; "
    code += f"{function}(pathlib.Path({str(root)!r}))"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, cwd=Path(__file__).parents[2]
    )

"""Arithmetic on sizes: expressions, what they amount to, and how people read them."""

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

MAX_BITS = 256  # of a number on the way; sizes have 63


class Place(NamedTuple):
    """What a guard speaks of: an input of the program, by its path, or one of its dimensions."""

    path: tuple[str | int, ...]
    dimension: int | None = None


class Expression(NamedTuple):
    """An operation with its operands, or a leaf: a number, the name of a symbol, or a place."""

    name: str  # "number", "symbol", "place", or a key of OPERATIONS
    operands: tuple["Expression", ...] = ()
    leaf: Any = None

    def value(self, known: Mapping[Any, Any]) -> Any:
        """Its value where symbols and places are known. Raises KeyError and ArithmeticError."""
        if self.name == "number":
            return self.leaf
        if self.name in ("symbol", "place"):
            return known[self.leaf]
        values = [each.value(known) for each in self.operands]
        result = OPERATIONS[self.name](*values)
        if isinstance(result, int) and result.bit_length() > MAX_BITS:
            raise OverflowError("a number is too large")
        return result

    def leaves(self, name: str) -> Iterator[Any]:
        """The symbols or places in it, as often as they stand there."""
        if self.name == name:
            yield self.leaf
        for each in self.operands:
            yield from each.leaves(name)

    def symbols(self) -> set[str]:
        return set(self.leaves("symbol"))

    def places(self) -> list[Place]:
        return list(dict.fromkeys(self.leaves("place")))

    def __str__(self) -> str:
        return text_of(self)


def chain(compare: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def holds(*values: Any) -> bool:
        return all(compare(*pair) for pair in itertools.pairwise(values))

    return holds


def product(*values: Any) -> Any:
    return reduce(operator.mul, values, 1)


def power(base: Any, exponent: Any) -> Any:
    if not isinstance(exponent, int) or not 0 <= exponent <= MAX_BITS:
        raise OverflowError("a power is not small")
    return base**exponent


def exact_quotient(numerator: int, denominator: int) -> int | float:
    quotient, rest = divmod(numerator, denominator)
    return quotient if not rest else numerator / denominator


def ceiling(numerator: int, denominator: int = 1) -> int:
    return math.ceil(numerator) if denominator == 1 else -(-numerator // denominator)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda *values: sum(values),
    "multiply": product,
    "power": power,
    "divide": operator.truediv,
    "quotient": operator.floordiv,
    "exact quotient": exact_quotient,
    "ceiling": ceiling,
    "floor": math.floor,
    "truncate": math.trunc,
    "round": round,
    "float": float,
    "modulo": operator.mod,
    "minimum": min,
    "maximum": max,
    "absolute": abs,
    "equal": chain(operator.eq),
    "unequal": chain(operator.ne),
    "less": chain(operator.lt),
    "at most": chain(operator.le),
    "greater": chain(operator.gt),
    "at least": chain(operator.ge),
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": operator.not_,
    "choose": lambda condition, yes, no: yes if condition else no,
}

SIGNS = {
    "add": " + ",
    "multiply": "*",
    "power": "**",
    "divide": "/",
    "quotient": "//",
    "modulo": " % ",
    "equal": " == ",
    "unequal": " != ",
    "less": " < ",
    "at most": " <= ",
    "greater": " > ",
    "at least": " >= ",
    "and": " and ",
    "or": " or ",
}


def text_of(expression: Expression, inner: bool = False) -> str:
    """An expression for people."""
    name, operands, leaf = expression
    if name == "place":
        return place_text(leaf)
    if name in ("number", "symbol"):
        return str(leaf)
    parts = [text_of(each, name in SIGNS) for each in operands]
    if name not in SIGNS:
        return f"{name}({', '.join(parts)})"
    text = SIGNS[name].join(parts).replace("-1*", "-").replace(" + -", " - ")
    return f"({text})" if inner and name != "multiply" else text


def place_text(place: Place) -> str:
    path = path_text(place)
    return path if place.dimension is None else f"{path}.shape[{place.dimension}]"


def path_text(place: Place) -> str:
    """An input as named tensors call it."""
    return ".".join(map(str, place.path))

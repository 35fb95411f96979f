"""Between which bounds arithmetic on sizes stays, where the symbols in it have ranges."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch_serving.models.backends.export.signature.arithmetic import Expression
from torch_serving.tensor_constraint import MAX_SIZE, Dimension

Linear = dict[str, float]  # symbol -> its factor; "" -> the number beside them
OPEN = Dimension()


class Range(NamedTuple):
    least: float
    most: float


def range_of(dimension: Dimension) -> Range:
    return Range(dimension.least, math.inf if dimension.most is None else dimension.most)


def linear(expression: Expression) -> Linear | None:
    """An expression as a sum of multiples of symbols, if it is one."""
    name, operands, leaf = expression
    if name == "number":
        return {"": leaf}
    if name == "symbol":
        return {leaf: 1}
    parts = [linear(each) for each in operands]
    known = [each for each in parts if each is not None]
    if name not in ("add", "multiply") or len(known) < len(parts):
        return None
    total: Linear = {"": 0.0 if name == "add" else 1.0}
    for part in known:
        if name == "add":
            total = {key: total.get(key, 0) + part.get(key, 0) for key in {*total, *part}}
        elif part.keys() <= {""}:
            total = {key: factor * part[""] for key, factor in total.items()}
        elif total.keys() <= {""}:
            total = {key: factor * total[""] for key, factor in part.items()}
        else:
            return None
    return total


def linear_range(terms: Linear, known: Mapping[str, Dimension]) -> Range:
    least = most = terms.get("", 0.0)
    for symbol, factor in terms.items():
        if symbol and factor:
            ends = [factor * end for end in range_of(known.get(symbol, OPEN))]
            least, most = least + min(ends), most + max(ends)
    return Range(least, most)


def bounds(expression: Expression, known: Mapping[str, Dimension]) -> Dimension:
    """The sizes that a dimension may have whose size is an expression."""
    terms = linear(expression)
    if terms is not None:
        least, most = linear_range(terms, known)
    elif rises(expression):
        least, most = ends_of(expression, known)
    else:
        return OPEN
    low = max(0, math.ceil(least)) if math.isfinite(least) else 0
    high = math.floor(most) if most < MAX_SIZE else None
    return Dimension(low, high)


def rises(expression: Expression) -> bool:
    """Whether an expression never becomes smaller where a symbol grows."""
    name, operands, _ = expression
    if name in ("number", "symbol"):
        return True
    if name in ("quotient", "ceiling") and len(operands) == 2:
        divisor = operands[1]
        return rises(operands[0]) and divisor.name == "number" and divisor.leaf > 0
    if name == "multiply":
        positive = all(each.name != "number" or each.leaf >= 0 for each in operands)
        return positive and all(map(rises, operands))
    return name in ("add", "minimum", "maximum") and all(map(rises, operands))


def ends_of(expression: Expression, known: Mapping[str, Dimension]) -> Range:
    ranges = {symbol: known.get(symbol, OPEN) for symbol in expression.symbols()}
    try:
        least = expression.value({symbol: each.least for symbol, each in ranges.items()})
        most = math.inf
        if all(each.most is not None for each in ranges.values()):
            most = expression.value({symbol: each.most for symbol, each in ranges.items()})
    except (ArithmeticError, TypeError):
        return Range(0, math.inf)
    return Range(least, most)


def always_holds(condition: Expression, known: Mapping[str, Dimension]) -> bool:
    """Whether a condition holds for all sizes within the ranges; false where that is not seen."""
    name, operands, _ = condition
    if name in ("and", "or"):
        holds = [always_holds(each, known) for each in operands]
        return all(holds) if name == "and" else any(holds)
    if len(operands) != 2:
        return False
    left, right = linear(operands[0]), linear(operands[1])
    if left is None or right is None:
        return False
    keys = {*left, *right}
    least, most = linear_range({key: left.get(key, 0) - right.get(key, 0) for key in keys}, known)
    return {
        "equal": least == most == 0,
        "unequal": least > 0 or most < 0,
        "less": most < 0,
        "at most": most <= 0,
        "greater": least > 0,
        "at least": least >= 0,
    }.get(name, False)

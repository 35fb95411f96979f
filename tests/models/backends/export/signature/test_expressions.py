"""Arithmetic in programs is parsed, never evaluated."""

import pytest

from torch_serving.models.backends.export.signature.arithmetic import Place
from torch_serving.models.backends.export.signature.expressions import NotArithmetic, parse
from torch_serving.models.backends.export.signature.ranges import always_holds, bounds
from torch_serving.tensor_constraint import Dimension

SYMBOL = "Symbol('s7', positive=True, integer=True)"

TEXTS = [
    ("7", "7", 7),
    ("Integer(7)", "7", 7),
    (SYMBOL, "s7", 5),
    (f"Add(Mul(Integer(2), {SYMBOL}), Integer(-1))", "2*s7 - 1", 9),
    ("2*s7 - 1", "2*s7 - 1", 9),
    (f"FloorDiv({SYMBOL}, Integer(2))", "s7//2", 2),
    ("CeilDiv(s7, 2)", "ceiling(s7, 2)", 3),
    ("Pow(s7, 2)", "s7**2", 25),
    ("Max(1, Min(s7, 3))", "maximum(1, minimum(s7, 3))", 3),
    ("-s7 % 4", "-s7 % 4", 3),
    ("1 < s7 <= 5", "(1 < s7) and (s7 <= 5)", True),
    ("Ne(s7, 5)", "s7 != 5", False),
    ("not s7 == 5 or s7 > 9", "not(s7 == 5) or (s7 > 9)", False),
]


@pytest.mark.parametrize(("text", "shown", "value"), TEXTS)
def test_arithmetic_is_parsed(text: str, shown: str, value: object) -> None:
    expression = parse(text)
    assert (str(expression), expression.value({"s7": 5})) == (shown, value)


PLACES = [
    ("L['x'].size()[1] == 2", Place(("x",), 1)),
    ("L['x']['key'][0].size()[0] > 2", Place(("x", "key", 0), 0)),
    ("L['x'].left.size()[0] > 2", Place(("x", "left"), 0)),
    ("L['k'] > 2", Place(("k",))),
]


@pytest.mark.parametrize(("text", "place"), PLACES)
def test_guards_speak_of_inputs(text: str, place: Place) -> None:
    assert parse(text).places() == [place]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "open('/etc/passwd')",
        "(lambda: 1)()",
        "[1][0]",
        "'a' == 'b'",
        "L['x'].storage()[0]",
        "L['x'].size()",
        "L['x'].size(0)[1]",
        "Symbol('s7'.upper())",
        "Symbol(s7)",
        "f'{s7}'",
        "s7 if s7 else 1",
        "s7 @ 2",
        "s7 is 2",
        "s7 +",
        "",
        "(" * 500 + "s7" + ")" * 500,
        "-" * 500 + "s7",
        "1+" * 6000 + "1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(NotArithmetic):
        parse(text)


def test_numbers_stay_small() -> None:
    with pytest.raises(OverflowError):
        parse("Pow(Pow(Pow(9, 99), 99), 99)").value({})


RANGES = {"s": Dimension(2, 10), "t": Dimension(3)}
BOUNDS = [
    ("s", Dimension(2, 10)),
    ("2*s + 1", Dimension(5, 21)),
    ("s - 4", Dimension(0, 6)),
    ("s + t", Dimension(5)),
    ("12 - s", Dimension(2, 10)),
    ("3*(s // 4)", Dimension(0, 6)),
    ("Max(s, 5)", Dimension(5, 10)),
    ("s % 4", Dimension()),
    ("s*t", Dimension(6)),
    ("unknown", Dimension()),
]


@pytest.mark.parametrize(("text", "dimension"), BOUNDS)
def test_bounds_of_sizes(text: str, dimension: Dimension) -> None:
    assert bounds(parse(text), RANGES) == dimension


CONDITIONS = [
    ("3*s > 5", True),
    ("3*s > 6", False),
    ("s != 1", True),
    ("s != 4", False),
    ("s >= 2 and s <= 10", True),
    ("s + 1 == 1 + s", True),
    ("t + 8 > s", True),
    ("t > s", False),
    ("s % 4 == 0", False),
]


@pytest.mark.parametrize(("text", "holds"), CONDITIONS)
def test_conditions_that_ranges_imply(text: str, holds: bool) -> None:
    assert always_holds(parse(text), RANGES) == holds

"""Arithmetic on sizes, as a program spells it: `Mul(Integer(2), Symbol('s0'))`, `2*s0 + 1`, guards.

Nothing is evaluated as Python: a text is parsed, and whatever is not arithmetic is refused.
"""

import ast
from typing import Any

from torch_serving.models.backends.export.signature.arithmetic import Expression, Place

MAX_CHARACTERS = 10_000
MAX_DEPTH = 60


class NotArithmetic(ValueError):
    """A text is no arithmetic of sizes; the message says what stands in the way."""


# Functions, as sympy and torch call them.
FUNCTIONS = {
    **dict.fromkeys(("Add", "sum"), "add"),
    "Mul": "multiply",
    **dict.fromkeys(("Pow", "PowByNatural"), "power"),
    **dict.fromkeys(("IntTrueDiv", "FloatTrueDiv"), "divide"),
    "FloorDiv": "quotient",
    "CleanDiv": "exact quotient",
    **dict.fromkeys(("CeilDiv", "ceiling", "CeilToInt"), "ceiling"),
    **dict.fromkeys(("floor", "FloorToInt"), "floor"),
    **dict.fromkeys(("TruncToInt", "TruncToFloat"), "truncate"),
    **dict.fromkeys(("RoundToInt", "round"), "round"),
    "ToFloat": "float",
    **dict.fromkeys(("Mod", "PythonMod"), "modulo"),
    **dict.fromkeys(("Min", "min"), "minimum"),
    **dict.fromkeys(("Max", "max"), "maximum"),
    **dict.fromkeys(("Abs", "abs"), "absolute"),
    **dict.fromkeys(("Eq", "Equality"), "equal"),
    **dict.fromkeys(("Ne", "Unequality"), "unequal"),
    **dict.fromkeys(("Lt", "StrictLessThan"), "less"),
    **dict.fromkeys(("Le", "LessThan"), "at most"),
    **dict.fromkeys(("Gt", "StrictGreaterThan"), "greater"),
    **dict.fromkeys(("Ge", "GreaterThan"), "at least"),
    "And": "and",
    "Or": "or",
    "Not": "not",
    "Where": "choose",
}
BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Mult: "multiply",
    ast.Pow: "power",
    ast.Div: "divide",
    ast.FloorDiv: "quotient",
    ast.Mod: "modulo",
    ast.And: "and",
    ast.Or: "or",
    ast.Eq: "equal",
    ast.NotEq: "unequal",
    ast.Lt: "less",
    ast.LtE: "at most",
    ast.Gt: "greater",
    ast.GtE: "at least",
}
MINUS_ONE = Expression("number", leaf=-1)
NUMBERS = ("Integer", "Float")


def parse(text: str) -> Expression:
    """Parse a text. Raises NotArithmetic."""
    if len(text) > MAX_CHARACTERS:
        raise NotArithmetic(f"it has {len(text)} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NotArithmetic("its syntax is not that of an expression") from None
    return expression_of(tree.body, 0)


def expression_of(node: ast.AST, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise NotArithmetic("it is nested too deeply")
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        return Expression("number", leaf=node.value)
    if isinstance(node, ast.Name):
        return Expression("symbol", leaf=node.id)
    if isinstance(node, ast.UnaryOp):
        return unary(node, depth)
    if isinstance(node, ast.BinOp):
        return binary(node, depth)
    if isinstance(node, ast.BoolOp):
        return operation(BINARY[type(node.op)], node.values, depth)
    if isinstance(node, ast.Compare):
        return comparison(node, depth)
    if isinstance(node, ast.Call):
        return call(node, depth)
    if isinstance(node, ast.Subscript | ast.Attribute):
        return Expression("place", leaf=place(node))
    raise refused(node)


def refused(node: ast.AST) -> NotArithmetic:
    return NotArithmetic(f"`{ast.unparse(node)[:80]}` is no arithmetic of sizes")


def operation(name: str, nodes: list[Any], depth: int) -> Expression:
    return Expression(name, tuple([expression_of(each, depth + 1) for each in nodes]))


def unary(node: ast.UnaryOp, depth: int) -> Expression:
    operand = expression_of(node.operand, depth + 1)
    if isinstance(node.op, ast.USub):
        return Expression("multiply", (MINUS_ONE, operand))
    if isinstance(node.op, ast.Not):
        return Expression("not", (operand,))
    if isinstance(node.op, ast.UAdd):
        return operand
    raise refused(node)


def binary(node: ast.BinOp, depth: int) -> Expression:
    if isinstance(node.op, ast.Sub):
        right = Expression("multiply", (MINUS_ONE, expression_of(node.right, depth + 1)))
        return Expression("add", (expression_of(node.left, depth + 1), right))
    name = BINARY.get(type(node.op))
    if name is None:
        raise refused(node)
    return operation(name, [node.left, node.right], depth)


def comparison(node: ast.Compare, depth: int) -> Expression:
    """`a <= b < c` as `a <= b and b < c`."""
    values = [expression_of(each, depth + 1) for each in (node.left, *node.comparators)]
    if not all(type(each) in BINARY for each in node.ops):
        raise refused(node)
    parts = [
        Expression(BINARY[type(each)], (values[index], values[index + 1]))
        for index, each in enumerate(node.ops)
    ]
    return parts[0] if len(parts) == 1 else Expression("and", tuple(parts))


def call(node: ast.Call, depth: int) -> Expression:
    if not isinstance(node.func, ast.Name):
        return Expression("place", leaf=place(node))
    name = node.func.id
    if name == "Symbol":
        return Expression("symbol", leaf=text_argument(node))
    if node.keywords:
        raise refused(node)
    if name in NUMBERS and len(node.args) == 1:
        return expression_of(node.args[0], depth + 1)
    if name not in FUNCTIONS or not node.args:
        raise refused(node)
    return operation(FUNCTIONS[name], node.args, depth)


def text_argument(node: ast.Call) -> str:
    """The name of `Symbol('s0', positive=True, integer=True)`."""
    plain = all(isinstance(each.value, ast.Constant) for each in node.keywords)
    if len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and plain:
        name = node.args[0].value
        if isinstance(name, str) and name.isidentifier():
            return name
    raise refused(node)


def place(node: ast.AST) -> Place:
    """`L['x']['key'].size()[0]`, or without the last two: a path, and a dimension of a tensor."""
    steps: list[Any] = []
    at = node
    while not isinstance(at, ast.Name):
        if isinstance(at, ast.Subscript) and isinstance(at.slice, ast.Constant):
            steps.append(at.slice.value)
            at = at.value
        elif isinstance(at, ast.Attribute):
            steps.append(at.attr)
            at = at.value
        elif is_size_call(at):
            steps.append(None)
            at = at.func.value  # type: ignore[attr-defined]
        else:
            raise refused(node)
    if at.id != "L" or not steps or not all(type(each) in (str, int) for each in steps[2:]):
        raise refused(node)
    steps.reverse()
    if None not in steps[-2:]:
        return Place(tuple(steps))
    if len(steps) < 3 or steps[-2] is not None or type(steps[-1]) is not int:
        raise refused(node)
    return Place(tuple(steps[:-2]), steps[-1])


def is_size_call(node: ast.AST) -> bool:
    """Whether a node is `something.size()`."""
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return is_method and node.func.attr == "size" and not node.args  # type: ignore[attr-defined]

"""What torch evaluates where it reads a program itself: sizes, and trees of arguments.

torch gives the text of a size to `eval`, and imports modules that a tree names. Programs
that become TorchScript are read by this server alone, and need none of it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.schema_check import shown
from torch_serving.models.backends.export.signature.arithmetic import Expression
from torch_serving.models.backends.export.signature.expressions import NotArithmetic, parse
from torch_serving.models.backends.export.signature.tree import DEFAULT_DICTIONARY

Json = Any

SYMBOLS = ("sym_int_values", "sym_bool_values", "sym_float_values")
MAX_EXPONENT = 64  # of numbers, which torch multiplies out
# Functions of torch that compute numbers of numbers, and that the server has no twin for.
FUNCTIONS = re.compile(
    r"\b(?:OpaqueUnaryFn_[a-z0-9]+|BitwiseFn_bitwise_[a-z]+|LShift|RShift|FloatPow|ModularIndexing"
    r"|Identity)\("
)
NOT_EVALUATED = "it would run as Python, and its"


def check_evaluated(document: Json) -> None:
    """Raise InvalidServable for a document with which torch could run more than arithmetic."""
    for graph in graphs_in(document["graph_module"]["graph"]):
        for text in expressions_in(graph):
            if not is_arithmetic(text):
                raise InvalidServable(f"{NOT_EVALUATED} size {shown(text)} is no plain arithmetic")
    for entry in document["graph_module"]["module_call_graph"]:
        signature = entry.get("signature") or {}
        for key in ("in_spec", "out_spec"):
            problem = problem_with_tree(signature.get(key, "[1, null]"))
            if problem:
                raise InvalidServable(f"{NOT_EVALUATED} {key} {problem}")


def expressions_in(graph: Json) -> set[str]:
    """All that stands for a size in a graph, but for those inside."""
    found = set()
    for meta in graph["tensor_values"].values():
        found |= texts_of([*meta["sizes"], *meta["strides"], meta["storage_offset"]])
    for key in SYMBOLS:
        found |= texts_of(graph.get(key, {}).values())
    return found


def texts_of(values: Any) -> set[str]:
    return {each["as_expr"]["expr_str"] for each in values if "as_expr" in each}


def graphs_in(graph: Json) -> Iterator[Json]:
    """A graph, and all those inside."""
    yield graph
    for node in graph["nodes"]:
        for each in node["inputs"]:
            yield from graphs_of(each["arg"])


def graphs_of(argument: Json) -> Iterator[Json]:
    if "as_graph" in argument:
        yield from graphs_in(argument["as_graph"]["graph"])
    for each in argument.get("as_string_to_argument", {}).values():
        yield from graphs_of(each)


def is_arithmetic(text: str) -> bool:
    try:
        expression = parse(FUNCTIONS.sub("Max(", text))
    except NotArithmetic:
        return False
    return not expression.places() and not has_large_power(expression)


def has_large_power(expression: Expression) -> bool:
    """Whether a number is raised to a large one, which may take all memory and time."""
    if expression.name == "power" and not expression.symbols():
        exponent = expression.operands[-1]
        return exponent.name != "number" or exponent.leaf > MAX_EXPONENT
    return any(has_large_power(each) for each in expression.operands)


def problem_with_tree(text: str) -> str:
    """Why torch may not read a tree; empty if it may."""
    try:
        node = json.loads(text)[1]
        nodes = [] if node is None else [node]
        while nodes:
            node = nodes.pop()
            if imports(node["type"], node["context"]):
                return f"names a module to import, in {shown(node['context'])}"
            nodes += node["children_spec"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return "is no tree"
    return ""


def imports(kind: str | None, context: Any) -> bool:
    """Whether torch imports something to make a node of a tree."""
    if kind == DEFAULT_DICTIONARY:
        return bool(json.loads(context)["default_factory_module"] != "builtins")
    # members of enumerations stand as objects in the contexts of registered classes
    return isinstance(context, str) and "{" in context

"""Whether the rows of several requests may run as one: what a program tells of its sizes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.model_config import MAX_MAX_BATCH
from torch_serving.models.backends.export.signature.arithmetic import Place
from torch_serving.models.backends.export.signature.checks import words
from torch_serving.models.backends.export.signature.conditions import Conditions, Input
from torch_serving.models.backends.export.signature.tree import Tree
from torch_serving.tensor_constraint import Dimension


class Rows(NamedTuple):
    """How many rows may run as one at most; None: `problem` says why no more than a request has."""

    most: int | None
    problem: str = ""


def rows_of(conditions: Conditions, inputs: Sequence[Input], result: Tree) -> Rows:
    """The first dimension of all tensors must be one symbol, which stands nowhere else."""
    tensors = [(words(Place(each.path, 0)), each.spec) for each in inputs if each.spec.constraint]
    if not tensors:
        return Rows(None, "it takes no tensors")
    symbol = symbol_of_rows(tensors[0][1])
    for name, spec in [*tensors, *results_in(result)]:
        problem = problem_of_rows(name, spec, symbol)
        if problem:
            return Rows(None, problem)
    if symbol in elsewhere(conditions, [spec for _, spec in [*tensors, *results_in(result)]]):
        return Rows(None, f"`{symbol}`, its rows, are also in other sizes or in a condition")
    most = conditions.ranges.get(symbol, Dimension()).most
    if most is not None and most < 2:
        return Rows(None, f"{tensors[0][0]} is {most} at most")
    return Rows(MAX_MAX_BATCH if most is None else min(most, MAX_MAX_BATCH))


def results_in(result: Tree) -> Iterator[tuple[str, TypeSpec]]:
    """The outputs of the graph, and what errors call them."""
    for path, leaf in result.leaves():
        if leaf.spec is not None and not leaf.is_constant:
            name = f" `{'.'.join(map(str, path))}`" if path else ""
            yield f"dimension 0 of the result{name}", leaf.spec


def problem_of_rows(name: str, spec: TypeSpec, symbol: str) -> str:
    """Why the first dimension of a tensor is not the rows of all; empty if it is."""
    if spec.constraint is None:
        return "a result is no tensor"
    shape = spec.constraint.shape
    if not shape:
        return f"{name} is not there: it is a single number"
    if not symbol or shape[0].symbol != symbol:
        return f"{name} is {shape[0]}" + (f", not {symbol}" if symbol else "")
    return ""


def symbol_of_rows(spec: TypeSpec) -> str:
    """The symbol that the first dimension of a tensor is; empty for a number or arithmetic."""
    shape = spec.constraint.shape if spec.constraint else None
    symbol = shape[0].symbol if shape else ""
    return symbol if symbol.isidentifier() else ""


def elsewhere(conditions: Conditions, tensors: Sequence[TypeSpec]) -> set[str]:
    """The symbols in other dimensions than the first, in integers, and in guards."""
    sizes = [size for place, size in conditions.sizes.items() if place.dimension != 0]
    sizes += [conditions.in_symbols(guard) for guard in conditions.guards]
    found = {symbol for each in sizes for symbol in each.symbols()}
    shapes = [spec.constraint.shape or () for spec in tensors if spec.constraint]
    for dimension in [each for shape in shapes for each in shape[1:]]:
        found |= conditions.symbols_of(dimension)
    return found

"""Whether the rows of several requests may run as one: what a program tells of its sizes."""

from collections.abc import Sequence

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.model_config import MAX_MAX_BATCH
from torch_serving.models.backends.export.conditions import Conditions
from torch_serving.models.backends.export.tree import Tree
from torch_serving.tensor_constraint import Dimension


def largest_batch(conditions: Conditions, inputs: Sequence[TypeSpec], result: Tree) -> int | None:
    """The most rows that may run as one, or None.

    The first dimension of all tensors must be one symbol, which stands nowhere else.
    """
    outputs = [leaf.spec for _, leaf in result.leaves() if leaf.spec and not leaf.is_constant]
    tensors = [spec for spec in inputs if spec.kind == "tensor"]
    symbols = {symbol_of_rows(spec) for spec in (*tensors, *outputs)}
    if len(symbols) != 1 or not tensors or not outputs:
        return None
    (symbol,) = symbols
    if symbol is None or stands_elsewhere(symbol, conditions, [*tensors, *outputs]):
        return None
    most = conditions.ranges.get(symbol, Dimension()).most
    return MAX_MAX_BATCH if most is None else most


def symbol_of_rows(spec: TypeSpec) -> str | None:
    """The symbol that the first dimension of a tensor is."""
    shape = spec.constraint.shape if spec.constraint else None
    if not shape or not shape[0].symbol.isidentifier():
        return None
    return shape[0].symbol


def stands_elsewhere(symbol: str, conditions: Conditions, tensors: Sequence[TypeSpec]) -> bool:
    """Whether a symbol is in another dimension, in an integer, or in a guard."""
    others = [size for place, size in conditions.sizes.items() if place.dimension != 0] + [
        conditions.in_symbols(guard) for guard in conditions.guards
    ]
    if any(symbol in each.symbols() for each in others):
        return True
    shapes = [spec.constraint.shape or () for spec in tensors if spec.constraint]
    return any(
        symbol in conditions.symbols_of(dimension) for shape in shapes for dimension in shape[1:]
    )

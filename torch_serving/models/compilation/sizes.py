"""The sizes that the inputs of an exported program may have, and inputs of such sizes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

# Inputs larger than the program's own are tried up to these.
MAX_SIZE = 64
MAX_ELEMENTS = 1 << 22  # of all tensors of a request
SEED = 0
UNBOUNDED = 1 << 62

Sizes = Mapping[Any, int]  # by symbol


class Inputs:
    """The user's inputs of a program: its own example, and others of other sizes."""

    def __init__(self, program: ExportedProgram) -> None:
        """Read what the program tells. It must have example inputs."""
        args, kwargs = program.example_inputs
        self.example, self._tree = pytree.tree_flatten((tuple(args), dict(kwargs)))
        self.ranges = {
            symbol: (bound(bounds.lower, 0), bound(bounds.upper, UNBOUNDED))
            for symbol, bounds in program.range_constraints.items()
        }
        self._expected = expected_values(program)
        self._random = torch.Generator().manual_seed(SEED)

    def arguments(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Flat inputs as positional and keyword arguments."""
        args, kwargs = pytree.tree_unflatten(list(leaves), self._tree)
        return args, kwargs

    def own_sizes(self) -> dict[Any, int]:
        """The size that each symbol has in the example."""
        found: dict[Any, int] = {}
        for leaf, expected in zip(self.example, self._expected, strict=True):
            shape = leaf.shape if isinstance(leaf, torch.Tensor) else (leaf,)
            for size, each in zip(shape, dimensions_of(expected), strict=False):
                symbol = symbol_of(each)
                if symbol in self.ranges and isinstance(size, int):
                    found[symbol] = size
        return found

    def others(self) -> Iterator[list[Any]]:
        """Yield inputs of the least sizes, of large ones, and of some between."""
        own = self.own_sizes()
        if not own:
            return
        least = {symbol: max(1, self.ranges[symbol][0]) for symbol in own}
        most = self._large(own)
        between = {symbol: (least[symbol] + most[symbol] + 1) // 2 for symbol in own}
        tried = [own]
        for sizes in (least, between, most):
            if sizes not in tried:
                tried.append(sizes)
                yield self.of_sizes(sizes)

    def _large(self, own: Sizes) -> dict[Any, int]:
        """Sizes as large as ranges, time and memory allow."""
        most = {
            symbol: max(size, min(self.ranges[symbol][1], max(2 * size, MAX_SIZE)))
            for symbol, size in own.items()
        }
        while most != dict(own) and self._elements(most) > MAX_ELEMENTS:
            most = {symbol: max(own[symbol], size // 2) for symbol, size in most.items()}
        return most

    def _elements(self, sizes: Sizes) -> int:
        shapes = [shape_of(each, sizes) for each in self._expected]
        return sum(math.prod(shape) for shape in shapes if shape is not None)

    def of_sizes(self, sizes: Sizes) -> list[Any]:
        """The example with other sizes; a size that it does not have repeats or cuts it."""
        return [
            self._resized(leaf, expected, sizes)
            for leaf, expected in zip(self.example, self._expected, strict=True)
        ]

    def _resized(self, leaf: Any, expected: Any, sizes: Sizes) -> Any:
        shape = shape_of(expected, sizes)
        if not isinstance(leaf, torch.Tensor):
            return leaf if shape is None or symbol_of(expected) is None else shape[0]
        if shape is None or list(leaf.shape) == shape:
            return leaf
        return resized(leaf, shape, self._random)


def resized(tensor: torch.Tensor, shape: Sequence[int], random: torch.Generator) -> torch.Tensor:
    """A tensor of another shape, with numbers out of the first one: others might mean nothing.

    Floating-point numbers come in any order, so that no two rows are equal.
    """
    if 0 in tensor.shape:
        return torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
    if tensor.is_floating_point():
        flat = tensor.flatten().cpu()
        picked = flat[torch.randint(len(flat), (math.prod(shape),), generator=random)]
        if len(flat) and bool((flat == flat[0]).all()):
            picked = picked + torch.rand(picked.shape, generator=random).to(picked.dtype)
        return picked.reshape(list(shape)).to(tensor.device)
    repeats = [-(-size // old) for size, old in zip(shape, tensor.shape, strict=True)]
    return tensor.repeat(repeats)[tuple(slice(size) for size in shape)].contiguous()


def expected_values(program: ExportedProgram) -> list[Any]:
    """What the program knows of each of its user's inputs: tensors and numbers with symbols."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    return [nodes[name].meta.get("val") if name in nodes else name for name in names]


def dimensions_of(expected: Any) -> Sequence[Any]:
    """The dimensions of a tensor; a number with a symbol counts as one."""
    if isinstance(expected, torch.Tensor):
        return expected.shape
    return (expected,) if isinstance(expected, torch.SymInt) else ()


def symbol_of(size: Any) -> Any:
    """The symbol that a size is; None for numbers and for what is calculated."""
    expression = getattr(getattr(size, "node", None), "expr", None)
    return expression if expression is not None and expression.is_Symbol else None


def shape_of(expected: Any, sizes: Sizes) -> list[int] | None:
    """The shape for sizes of symbols; None for what has no shape."""
    if not isinstance(expected, torch.Tensor | torch.SymInt):
        return None
    return [size_of(each, sizes) for each in dimensions_of(expected)]


def size_of(size: Any, sizes: Sizes) -> int:
    return size if isinstance(size, int) else int(size.node.expr.subs(dict(sizes)))


def bound(number: Any, infinite: int) -> int:
    """A bound of a range; `infinite` where there is none."""
    return int(number) if getattr(number, "is_Integer", True) else infinite

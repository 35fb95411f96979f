"""How inputs must lie in memory: compiled code knows the strides of its example."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

# The dimensions from the one with the largest stride to that with the least; None: in order.
Layout = tuple[int, ...] | None


def laid_out(value: Any, layout: Layout, device: torch.device) -> torch.Tensor:
    """Return a tensor as compiled code wants it: a copy, where it lies otherwise or is a number."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if not isinstance(value, torch.Tensor):
        return torch.tensor(value, device=device)
    if layout is None:
        return value.contiguous()
    back = [layout.index(dimension) for dimension in range(len(layout))]
    return value.permute(layout).contiguous().permute(back)


def layout_in(meta: Mapping[str, Any]) -> Layout:
    """The layout of a program's tensor: its document has sizes and strides of the example."""
    sizes = [example_of(size) for size in meta["sizes"]]
    strides = [example_of(stride) for stride in meta["strides"]]
    order = sorted(range(len(strides)), key=lambda index: (-strides[index], index))
    in_order = tuple(index for index in order if sizes[index] != 1)
    if in_order == tuple(sorted(in_order)):
        return None
    return tuple(order)


def example_of(size: Mapping[str, Any]) -> int:
    """A size, or that of the example where it is a symbol."""
    if "as_int" in size:
        return int(size["as_int"])
    hint = size["as_expr"].get("hint") or {}
    return int(hint.get("as_int", 2))


def layouts_of(document: Mapping[str, Any], names: Sequence[str]) -> list[Layout]:
    """The layouts of a program's inputs, by the names of their placeholders."""
    tensors = document["graph_module"]["graph"]["tensor_values"]
    return [layout_in(tensors[name]) if name in tensors else None for name in names]

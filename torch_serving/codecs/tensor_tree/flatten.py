"""The result of a method -> named tensors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor, joined
from torch_serving.errors import UnsupportedResult

ELEMENTS = {"int": torch.int64, "float": torch.float64, "bool": torch.bool}


def flatten(result: Any, spec: TypeSpec | None) -> dict[str, Leaf]:
    """Name the tensors of a result; None has none. `spec` has the type of an empty list's elements.

    Raises UnsupportedResult for a value that tensors can't hold.
    """
    leaves: dict[str, Leaf] = {}
    put(leaves, "", result, spec)
    return leaves


def put(leaves: dict[str, Leaf], name: str, value: Any, spec: TypeSpec | None) -> None:
    if value is None:
        return
    if spec is not None and spec.kind == "optional":
        spec = spec.parts[0]
    leaf = leaf_of(value, spec, name)
    if leaf is None:
        for part, element, inner in parts_of(value, spec, name):
            put(leaves, joined(name, part), element, inner)
        return
    name = name or "output_0"
    if name in leaves:
        raise UnsupportedResult(f"two parts of the result are called `{name[:100]}`")
    leaves[name] = leaf


def leaf_of(value: Any, spec: TypeSpec | None, name: str) -> Leaf | None:
    """A value as one tensor, or None if it has parts."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, str):
        return StringTensor((), [value])
    if isinstance(value, list):
        return vector_of(value, spec, name)
    for kind, dtype in ((bool, torch.bool), (int, torch.int64), (float, torch.float64)):
        if isinstance(value, kind):
            return numbers_of(value, dtype, name)
    return None


def vector_of(values: list[Any], spec: TypeSpec | None, name: str) -> Leaf | None:
    kinds = {type(value) for value in values}
    kind = kinds.pop().__name__ if len(kinds) == 1 else ""
    if not values and spec is not None and spec.kind == "list":
        kind = spec.parts[0].kind
    if kind == "str":
        return StringTensor((len(values),), values)
    return numbers_of(values, ELEMENTS[kind], name) if kind in ELEMENTS else None


def numbers_of(values: Any, dtype: torch.dtype, name: str) -> torch.Tensor:
    try:
        return torch.tensor(values, dtype=dtype)
    except (RuntimeError, ValueError):
        raise UnsupportedResult(f"result `{name}`: an integer does not fit 64 bits") from None


def parts_of(
    value: Any, spec: TypeSpec | None, name: str
) -> Iterator[tuple[str | int, Any, TypeSpec | None]]:
    """The parts of a value: key or index, value, and type where that is known."""
    known = spec.parts if spec is not None and spec.kind in ("list", "tuple", "dict") else ()
    if isinstance(value, dict):
        for key, element in value.items():
            if not isinstance(key, str | int | float):
                raise unsupported(f"a key of type {type(key).__name__}", name)
            inner = known[1] if known else None
            if spec is not None and spec.members:
                inner = spec.members.get(str(key), inner)
            yield str(key), element, inner
    elif isinstance(value, list | tuple):
        names = getattr(value, "_fields", range(len(value)))
        for index, element in enumerate(value):
            inner = known[index if isinstance(value, tuple) else 0] if known else None
            yield names[index], element, inner
    else:
        raise unsupported(f"a value of type {type(value).__name__}", name)


def unsupported(what: str, name: str) -> UnsupportedResult:
    where = f" `{name[:100]}`" if name else ""
    return UnsupportedResult(f"result{where}: {what} has no form as tensors; use JSON at /serve")

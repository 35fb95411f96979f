"""Whether the arguments of a request go together: dimensions of one symbol must be equal."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from torch_serving.codecs.constraints import constraints_of
from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.tensor_tree.specs import EACH, fields_of, joined
from torch_serving.errors import IncompatibleShape

Check = Callable[[Sequence[Any]], None]


class Place(NamedTuple):
    """A dimension of a tensor that each request has: its argument, and the keys that lead to it."""

    argument: int
    keys: tuple[Any, ...]
    dimension: int


def argument_check(signature: Signature) -> Check | None:
    """What checks arguments that are each right for themselves; None if nothing has to."""
    checks: list[Check] = []
    if has_shared_symbols(signature):
        checks.append(symbol_check(signature.arguments))
    if signature.check is not None:
        checks.append(signature.check)
    if len(checks) < 2:
        return checks[0] if checks else None
    return functools.partial(check_all, checks)


def check_all(checks: Sequence[Check], values: Sequence[Any]) -> None:
    for check in checks:
        check(values)


def symbol_check(arguments: Sequence[Argument]) -> Check:
    """What compares dimensions of one symbol: pairs of places, if each request has the same."""
    first: dict[str, Place] = {}
    pairs: list[tuple[Place, Place]] = []
    for index, argument in enumerate(arguments):
        for symbol, keys, dimension in places_in(argument.spec, ()):
            if dimension < 0 or not argument.required:
                return functools.partial(check_symbols, arguments)
            place = Place(index, keys, dimension)
            if first.setdefault(symbol, place) is not place:
                pairs.append((first[symbol], place))
    return functools.partial(check_pairs, pairs, arguments)


def places_in(spec: TypeSpec, keys: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...], int]]:
    """The symbols in a type, with keys and dimension; -1 where a value may lack the tensor."""
    if spec.kind == "tensor":
        shape = spec.constraint.shape if spec.constraint else None
        for index, dimension in enumerate(shape or ()):
            if dimension.symbol:
                yield dimension.symbol, keys, index
    elif spec.closed:
        for key, part in (spec.members or {}).items():
            yield from places_in(part, (*keys, key))
    else:
        for index, part in enumerate(spec.parts):
            for symbol, inner, at in places_in(part, (*keys, index)):
                yield symbol, inner, at if spec.kind == "tuple" else -1
        for part in (spec.members or {}).values():
            yield from ((symbol, keys, -1) for symbol, *_ in places_in(part, keys))


def check_pairs(
    pairs: Sequence[tuple[Place, Place]], arguments: Sequence[Argument], values: Sequence[Any]
) -> None:
    for (index, keys, dimension), (other_index, other_keys, other_dimension) in pairs:
        tensor, other = values[index], values[other_index]
        for key in keys:
            tensor = tensor[key]
        for key in other_keys:
            other = other[key]
        # of arrays, too, which packages take
        if tensor.shape[dimension] != other.shape[other_dimension]:
            check_symbols(arguments, values)


def has_shared_symbols(signature: Signature) -> bool:
    """Whether several dimensions of a request may have one symbol."""
    found: set[str] = set()
    for argument in signature.arguments:
        for name, constraint in constraints_of(argument).items():
            symbols = [each.symbol for each in constraint.shape or () if each.symbol]
            several = len(set(symbols)) < len(symbols) or EACH in name.split(".")
            if symbols and (several or found & set(symbols)):
                return True
            found.update(symbols)
    return False


def check_symbols(arguments: Sequence[Argument], values: Sequence[Any]) -> None:
    """Raise IncompatibleShape for dimensions of one symbol that have different sizes."""
    found: dict[str, tuple[int, str, int]] = {}  # by symbol: size, and where it is
    for argument, value in zip(arguments, values, strict=False):
        for name, shape, tensor in tensors_in(argument.spec, value, argument.name):
            for index, (_, _, symbol) in enumerate(shape):
                if symbol:
                    size = tensor.shape[index]
                    known, first, at = found.setdefault(symbol, (size, name, index))
                    if size != known:
                        raise IncompatibleShape(
                            f"argument `{name}`: dimension {index} of `{name}` is {size}, and "
                            f"dimension {at} of `{first}` is {known}; both are `{symbol}`"
                        )


def tensors_in(spec: TypeSpec, value: Any, name: str) -> Iterator[tuple[str, Any, torch.Tensor]]:
    """The tensors in a value whose shape is declared: path, shape and tensor."""
    if spec.kind == "tensor":
        if spec.constraint is not None and spec.constraint.shape is not None:
            yield name, spec.constraint.shape, value
    elif spec.kind == "optional" and value is not None:
        yield from tensors_in(spec.parts[0], value, name)
    elif spec.kind == "list":
        for index, each in enumerate(value):
            yield from tensors_in(spec.parts[0], each, joined(name, index))
    elif spec.kind == "tuple":
        for part, each, field in zip(spec.parts, value, fields_of(spec), strict=True):
            yield from tensors_in(part, each, joined(name, field))
    elif spec.kind == "dict":
        for key, each in value.items():
            part = (spec.members or {}).get(key, spec.parts[1])
            yield from tensors_in(part, each, joined(name, str(key)))

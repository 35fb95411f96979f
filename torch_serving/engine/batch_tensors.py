"""Inputs and results of several requests as one: pure functions of tensors and trees of them."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

TOLERANCES = {
    torch.float64: 1e-7,
    torch.float32: 1e-3,
    torch.float16: 2e-2,
    torch.bfloat16: 5e-2,
    torch.complex128: 1e-7,
    torch.complex64: 1e-3,
}
TF32_TOLERANCES = {**TOLERANCES, torch.float32: 5e-2}  # results were seen to be 2e-2 apart
TENSORS = (torch.Tensor, np.ndarray)


class NotRowWise(Exception):
    """A result that has not one row for each row of the inputs."""


def rows_of(inputs: Sequence[Any]) -> int | None:
    """The rows that all tensors of a request have, or None if they differ or there are none."""
    rows: set[int] = set()
    batch_key(inputs, rows)
    return rows.pop() if is_row_count(rows) else None


def is_row_count(rows: set[int]) -> bool:
    """Whether all tensors of a request have the same number of rows, and some."""
    return len(rows) == 1 and 0 not in rows


def batch_key(value: Any, rows: set[int]) -> Any:
    """Return what must be equal for requests to run as one: everything but the rows of tensors.

    Those are added to `rows`.
    """
    if isinstance(value, TENSORS):
        rows.add(value.shape[0] if value.ndim else 0)
        return value.dtype, value.shape[1:]
    if isinstance(value, list | tuple):
        return type(value), [batch_key(part, rows) for part in value]
    if isinstance(value, dict):
        if any(isinstance(key, torch.Tensor) for key in value):
            rows.add(0)
        return dict, list(value), [batch_key(part, rows) for part in value.values()]
    return type(value), value


def groups_of(requests: Iterable[list[Any]], max_rows: int) -> list[list[int]]:
    """Groups of requests that may run as one, as indices. A group has at most `max_rows` rows."""
    groups: list[tuple[Any, int, list[int]]] = []
    for index, inputs in enumerate(requests):
        rows: set[int] = set()
        key = batch_key(inputs, rows)
        count = rows.pop() if len(rows) == 1 else 0
        for position, (other, total, members) in enumerate(groups):
            if count and total and key == other and total + count <= max_rows:
                groups[position] = (other, total + count, [*members, index])
                break
        else:
            groups.append((key, count, [index]))
    return [members for _, _, members in groups]


def concatenate(values: Sequence[Any]) -> Any:
    """Values of one batch key -> one value that has the rows of all."""
    first = values[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(list(values))
    if isinstance(first, np.ndarray):
        return np.concatenate(values)
    if isinstance(first, list | tuple):
        return rebuilt(first, [concatenate(parts) for parts in zip(*values, strict=True)])
    if isinstance(first, dict):
        return {key: concatenate([value[key] for value in values]) for key in first}
    return first


def split(value: Any, sizes: list[int], constants: bool = False) -> list[Any]:
    """A result -> one for each request; `sizes` are the rows of the requests. Raises NotRowWise.

    What is no tensor may depend on any row, and is no single request's, unless these are
    `constants` of the model.
    """
    if isinstance(value, TENSORS):
        if value.ndim == 0 or value.shape[0] != sum(sizes):
            raise NotRowWise(f"a result of shape {list(value.shape)} for {sum(sizes)} rows")
        if isinstance(value, np.ndarray):
            ends = itertools.accumulate(sizes)
            return [value[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return list(value.split(sizes))  # type: ignore[no-untyped-call]
    if isinstance(value, list | tuple) and value:
        columns = [split(part, sizes, constants) for part in value]
        return [rebuilt(value, [column[i] for column in columns]) for i in range(len(sizes))]
    if isinstance(value, dict) and value:
        parts = {key: split(part, sizes, constants) for key, part in value.items()}
        return [{key: part[i] for key, part in parts.items()} for i in range(len(sizes))]
    if constants:
        return [value] * len(sizes)
    raise NotRowWise(f"a result with {type(value).__name__} beside tensors is for all rows")


def rebuilt(like: Any, parts: list[Any]) -> Any:
    """Parts as a list, a tuple or a named tuple: whichever `like` is."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a value, in the order in which `with_tensors` visits them."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)


def changed(value: Any) -> Any:
    """The inputs of another request: of the same types and shapes, with other numbers."""
    if isinstance(value, torch.Tensor):
        other = value.flatten().flip(0).reshape(value.shape)
        return other * 0.5 + 0.125 if other.is_floating_point() else other
    if isinstance(value, np.ndarray):
        return changed(torch.from_numpy(value)).numpy()
    if isinstance(value, list | tuple):
        return rebuilt(value, [changed(part) for part in value])
    if isinstance(value, dict):
        return {key: changed(part) for key, part in value.items()}
    return value


def is_close(value: Any, expected: Any, tf32: bool = False) -> bool:
    """Whether two results are the same but for the rounding of sums in another order.

    With `tf32`, products of float32 numbers were rounded to TF32 before.
    """
    if isinstance(expected, np.ndarray):
        expected = torch.from_numpy(expected)
        value = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
    if isinstance(expected, torch.Tensor):
        if value.dtype != expected.dtype or value.shape != expected.shape:
            return False
        tolerance = (TF32_TOLERANCES if tf32 else TOLERANCES).get(value.dtype)
        if tolerance is None:
            return torch.equal(value, expected)
        return torch.allclose(value, expected, tolerance, tolerance, equal_nan=True)
    if isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(
            is_close(*pair, tf32) for pair in zip(value, expected, strict=True)
        )
    if isinstance(expected, dict):
        return value.keys() == expected.keys() and all(
            is_close(value[key], expected[key], tf32) for key in expected
        )
    return bool(value == expected)

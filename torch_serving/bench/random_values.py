"""Random numbers in place of those of an example, in as many rows as are wanted."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from torch_serving.bench.tensors import NamedTensor
from torch_serving.errors import StartupError

SEED = 0  # the same body each time: figures can be compared
FLOATS = ("FP16", "BF16", "FP32", "FP64", "float16", "bfloat16", "float32", "float64")
DIGITS = 6
MOST_NUMBERS = 1 << 24  # of a tensor: in JSON about half of what a server takes


def random_tensor(tensor: NamedTensor, rows: int) -> NamedTensor:
    shape, data = random_data(tensor.datatype, tensor.shape, tensor.data, rows)
    return tensor._replace(shape=shape, data=data)


def random_document(value: Any, rows: int) -> Any:
    """Replace the tensors of a request in JSON."""
    if isinstance(value, list):
        return [random_document(each, rows) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "tensor" and value.keys() >= {"shape", "value"}:
        dtype = value.get("data_type", "float32")
        shape, data = random_data(dtype, value["shape"], value["value"], rows)
        return {**value, "shape": shape, "value": data}
    return {key: random_document(each, rows) for key, each in value.items()}


def random_data(
    dtype: str, shape: Sequence[int], known: Sequence[Any], rows: int
) -> tuple[list[int], list[Any]]:
    """Return a shape with so many rows, and its elements.

    Floats are normally distributed; others are drawn from the known values: indices stay right.
    Raises StartupError for more than can be made in a moment.
    """
    generator = np.random.default_rng(SEED)
    sizes = [rows, *shape[1:]] if shape else []
    count = prod(sizes)
    if count > MOST_NUMBERS:
        raise StartupError(
            f"--rows {rows}: a tensor of {count:,} numbers is too large to be made; "
            f"expected at most {MOST_NUMBERS:,}, or a body with --body FILE"
        )
    if dtype in FLOATS:
        return sizes, generator.standard_normal(count).round(DIGITS).tolist()
    if not known:
        return sizes, [0] * count
    return sizes, [known[at] for at in generator.integers(len(known), size=count)]

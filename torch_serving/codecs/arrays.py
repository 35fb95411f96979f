"""numpy arrays <-> tensors, without a copy where there can be none."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torch_serving.errors import UnsupportedResult

BFLOAT16 = np.dtype((np.void, 2))  # as the encoder knows it


def bfloat16_to_tensor(array: NDArray[Any]) -> torch.Tensor:
    """A tensor of the bits of bfloat16, which numpy does not have."""
    return torch.from_numpy(array).view(torch.bfloat16)


def writable_native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that torch can take: writable, aligned and of native byte order.

    An array that is all of that is returned as it is.
    """
    if array.dtype.isnative and array.flags.aligned and array.flags.writeable:
        return array
    return array.astype(array.dtype.newbyteorder("="), order="K")


def to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """The values of a tensor, wherever and however it lies, as a C-contiguous array."""
    try:
        array: NDArray[Any] = tensor.numpy()  # of most outputs: shares their memory
    except (TypeError, RuntimeError, ValueError):
        array = force_numpy(tensor)
    # ascontiguousarray would give a 0-d array one dimension
    return array if array.flags.c_contiguous else np.array(array, order="C")


def to_array(value: torch.Tensor | NDArray[Any]) -> NDArray[Any]:
    """The same for a value that may be an array already."""
    if not isinstance(value, np.ndarray):
        return to_numpy(value)
    return value if value.flags.c_contiguous else np.array(value, order="C")


def force_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    kind = unusual_kind(tensor)
    if kind:
        raise UnsupportedResult(f"a {kind} tensor has no JSON form; return a dense one")
    if tensor.dtype == torch.bfloat16:
        return force_numpy(tensor.contiguous().view(torch.uint16)).view(BFLOAT16)
    try:
        return tensor.numpy(force=True)
    except TypeError:
        raise UnsupportedResult(f"a tensor of {tensor.dtype} has no JSON form") from None
    except ValueError as error:  # too many dimensions, or sizes whose product overflows
        shape = str(list(tensor.shape))
        raise UnsupportedResult(f"no array has the shape {shape:.100}: {error}") from None


def unusual_kind(tensor: torch.Tensor) -> str:
    """Say what a tensor is that has no array of numbers; empty for all others."""
    if tensor.is_nested or tensor.is_meta or tensor.is_quantized:
        return "nested" if tensor.is_nested else "meta" if tensor.is_meta else "quantized"
    return "" if tensor.layout == torch.strided else "sparse"

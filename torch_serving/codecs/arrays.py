"""numpy arrays <-> tensors, without a copy where there can be none."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torch_serving.errors import UnsupportedResult

PINNED_BYTES = 1 << 16  # the driver stages less than that by itself
BFLOAT16 = np.dtype((np.void, 2))  # as the encoder knows it


def from_array_to(device: torch.device) -> Any:
    """How a numpy array becomes a tensor there: on the CPU, without a copy."""
    if device.type == "cpu":
        return torch.from_numpy
    return lambda array: copied(torch.from_numpy(array), device)


def from_bfloat16_to(device: torch.device) -> Any:
    """The same for the bits of bfloat16, which numpy does not have."""
    return lambda array: copied(torch.from_numpy(array).view(torch.bfloat16), device)


def copied(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on a device; a large one goes through pinned memory, in its own time."""
    if device.type == "cpu":
        return tensor
    if device.type == "cuda" and tensor.nbytes > PINNED_BYTES:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def own(array: NDArray[Any]) -> NDArray[Any]:
    """An array that torch may have: models write into their inputs, and read them by whole words of
    this machine's order. Copied only if it must be."""
    if array.dtype.isnative and array.flags.aligned and array.flags.writeable:
        return array
    return array.astype(array.dtype.newbyteorder("="), order="K")


def array_of(tensor: torch.Tensor) -> NDArray[Any]:
    """The values of a tensor, wherever and however it lies, as a C-contiguous array."""
    try:
        array: NDArray[Any] = tensor.numpy()  # shares the memory, of most outputs
    except (TypeError, RuntimeError):
        array = copy_of(tensor)
    # ascontiguousarray would give a 0-d array one dimension
    return array if array.flags.c_contiguous else np.array(array, order="C")


def copy_of(tensor: torch.Tensor) -> NDArray[Any]:
    if tensor.is_quantized or tensor.layout != torch.strided:
        kind = "quantized" if tensor.is_quantized else "sparse"
        raise UnsupportedResult(f"a {kind} tensor has no JSON form; return a dense one")
    if tensor.dtype == torch.bfloat16:
        return copy_of(tensor.contiguous().view(torch.uint16)).view(BFLOAT16)
    try:
        return tensor.numpy(force=True)
    except TypeError:
        raise UnsupportedResult(f"a tensor of {tensor.dtype} has no JSON form") from None

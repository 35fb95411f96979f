"""Arrays and tensors of the caller -> numpy's arrays that can be sent, and back."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BFLOAT16 = np.dtype((np.void, 2))  # as codecs know it: numpy has no such type
KINDS = "?bBhHiIlLqQefdFD"  # of arrays that can be sent


def sendable(array: Array, where: str) -> Array:
    """An array of numbers that is C-contiguous and of this machine's byte order.

    One that is all of that is returned as it is. Raises TypeError for an array of anything else.
    """
    if array.dtype.char not in KINDS:
        if array.dtype.name != "bfloat16":  # that of the package ml_dtypes
            raise TypeError(f"{where}: an array of {array.dtype} can't be sent")
        array = array.view(np.uint16)
        return np.array(array, order="C").view(BFLOAT16)
    if array.flags.c_contiguous and array.dtype.isnative and type(array) is np.ndarray:
        return array
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def is_tensor(value: Any) -> bool:
    """Whether a value is torch's, which is never imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_device(value: Any) -> bool:
    """Whether a value is a device of torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.device)


def of_tensor(tensor: Any, where: str) -> Array:
    """The numbers of a tensor, on the CPU. Raises TypeError for one that is not dense."""
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        raise TypeError(f"{where}: a tensor must be dense to be sent, got {tensor.layout}")
    if tensor.is_meta:
        raise TypeError(f"{where}: a tensor of the device meta has no numbers to be sent")
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        bits: Array = tensor.cpu().contiguous().view(torch.uint16).numpy()
        return bits.view(BFLOAT16)
    try:
        return sendable(tensor.numpy(force=True), where)
    except TypeError:
        raise TypeError(f"{where}: a tensor of {tensor.dtype} can't be sent") from None


def to_numpy(array: Array) -> Array:
    """An array of a result; bfloat16 becomes float32, which holds all its numbers."""
    if array.dtype != BFLOAT16:
        return array
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def to_torch(array: Array) -> Any:
    """A tensor of a result, on the CPU, in the memory of the array. Imports torch."""
    import torch

    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


MAKERS = {"numpy": to_numpy, "torch": to_torch}

"""Tensors of what Python has: tensors, arrays, numbers and nested lists of them."""

from typing import Any

import numpy as np
import torch

from torch_serving.codecs.arrays import writable_native
from torch_serving.errors import IncompatibleDtype
from torch_serving.tensor_constraint import TensorConstraint


def as_plain_type(
    tensor: torch.Tensor, constraint: TensorConstraint, location: str
) -> torch.Tensor:
    """A tensor of plain numbers in the declared data type, or floats in that of the weights.

    Raises IncompatibleDtype for numbers that it does not hold.
    """
    dtype: torch.dtype = getattr(torch, constraint.plain_type)
    if tensor.dtype == dtype or not (constraint.data_type or tensor.is_floating_point()):
        return tensor
    converted = tensor.to(dtype)
    if tensor.is_floating_point() and converted.is_floating_point():
        holds = bool((converted.isfinite() == tensor.isfinite()).all())
    else:
        holds = torch.equal(converted.to(tensor.dtype), tensor)
    if not holds:
        raise IncompatibleDtype(f"{location}: a number does not fit {constraint.plain_type}")
    return converted


def to_tensor(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray | np.generic):
        array = writable_native(np.asarray(value))
        try:
            return torch.from_numpy(array)
        except ValueError:  # no tensor can have its strides
            return torch.from_numpy(array.copy())
    return torch.tensor(value)

"""Inputs and requested outputs of tritonclient."""

from typing import Any

import numpy as np
import tritonclient.http as triton

FLOATS = np.array([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]], "float32")


def given(name: str, array: np.ndarray, datatype: str = "FP32", binary: bool = True) -> Any:
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def wanted(*names: str, binary: bool = True) -> list[Any]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]

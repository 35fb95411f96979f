"""Requests of the Open Inference Protocol, made by hand."""

import json
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np


def entry(
    name: str = "x", shape: Any = (3,), datatype: Any = "FP32", **others: Any
) -> dict[str, Any]:
    """An input without its numbers."""
    return {"name": name, "shape": list(shape), "datatype": datatype, **others}


def binary(array: np.ndarray, name: str = "x", datatype: str = "FP32") -> dict[str, Any]:
    parameters = {"binary_data_size": array.nbytes}
    return entry(name, array.shape, datatype, parameters=parameters)


def body_of(
    inputs: Iterable[dict[str, Any]], *buffers: bytes, **others: Any
) -> tuple[bytes, dict[str, str]]:
    """A body, and the header that says where its buffers start."""
    text = json.dumps({"inputs": list(inputs), **others}).encode()
    return text + b"".join(buffers), {"Inference-Header-Content-Length": str(len(text))}


def byte_strings(*values: bytes) -> bytes:
    """The buffer of BYTES."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)

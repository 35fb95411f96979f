"""Bodies of safetensors, from and to numpy's arrays."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torch_serving.client.arrays import BFLOAT16

Array = NDArray[Any]

MEDIA_TYPE = "application/vnd.safetensors"
NAMES = {
    np.dtype(dtype): name
    for name, dtype in {
        "BOOL": "bool",
        **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
        **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
        **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
        "C64": "complex64",
    }.items()
}
NAMES[BFLOAT16] = "BF16"
OF_NAMES = {name: dtype for dtype, name in NAMES.items()}


def write(arrays: Mapping[str, Array]) -> list[bytes | memoryview]:
    """The pieces of a body, which are the memory of the arrays where that is possible."""
    pieces = sorted(arrays.items(), key=lambda piece: -piece[1].itemsize)  # so that all are aligned
    header, end = {}, 0
    for name, array in pieces:
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": array.shape,
            "data_offsets": (start, end),
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little") + text, *[bytes_of(array) for _, array in pieces]]


def bytes_of(array: Array) -> bytes | memoryview:
    """The memory of a C-contiguous array."""
    return array.reshape(-1).view(np.uint8).data if array.size else b""


def read(body: bytearray | bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors of a body, as views of it, and its metadata. Raises ValueError."""
    length = int.from_bytes(body[:8], "little")
    header = json.loads(bytes(body[8 : 8 + length]))
    metadata = header.pop("__metadata__", None) or {}
    return {name: tensor_of(body, 8 + length, part) for name, part in header.items()}, metadata


def tensor_of(body: bytearray | bytes, start: int, part: dict[str, Any]) -> Array:
    shape, dtype = part["shape"], OF_NAMES[part["dtype"]]
    array: Array = np.frombuffer(body, dtype, math.prod(shape), start + part["data_offsets"][0])
    return array.reshape(shape)

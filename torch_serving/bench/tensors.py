"""Named tensors of a request, and their binary forms."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

BYTES = "BYTES"
# data type of the Open Inference Protocol -> of numpy (bfloat16: its bits), and of safetensors
DATATYPES = {
    "BOOL": ("?", "BOOL"),
    **{f"INT{bits}": (f"i{bits // 8}", f"I{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (f"u{bits // 8}", f"U{bits}") for bits in (8, 16, 32, 64)},
    "FP16": ("f2", "F16"),
    "BF16": ("u2", "BF16"),
    "FP32": ("f4", "F32"),
    "FP64": ("f8", "F64"),
}


class NamedTensor(NamedTuple):
    """One input as the Open Inference Protocol tells it; `data` is flat."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Sequence[Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "NamedTensor":
        return cls(*(document[name] for name in cls._fields))

    def content(self) -> bytes:
        """The elements as they lie in memory."""
        if self.datatype == BYTES:
            texts = [str(each).encode() for each in self.data]
            return b"".join(struct.pack("<I", len(text)) + text for text in texts)
        if self.datatype == "BF16":
            return upper_halves(np.asarray(self.data, "<f4")).tobytes()
        return np.asarray(self.data, f"<{DATATYPES[self.datatype][0]}").tobytes()


def upper_halves(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The bits of float32 that bfloat16 keeps."""
    return (values.view("<u4") >> 16).astype("<u2")


def oip_body(tensors: Iterable[NamedTensor]) -> tuple[bytes, dict[str, str]]:
    """A request of the Open Inference Protocol with binary tensors, and its headers."""
    inputs, contents = [], []
    for each in tensors:
        contents.append(each.content())
        size = {"binary_data_size": len(contents[-1])}
        head = {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)}
        inputs.append({**head, "parameters": size})
    document = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    text = json.dumps(document, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(text)),
    }
    return b"".join([text, *contents]), headers


def safetensors_body(tensors: Iterable[NamedTensor]) -> tuple[bytes, dict[str, str]]:
    """A file of safetensors, and the headers that ask for one."""
    entries, contents, at = {}, [], 0
    for each in tensors:
        contents.append(each.content())
        end = at + len(contents[-1])
        dtype = DATATYPES[each.datatype][1]
        entries[each.name] = {"dtype": dtype, "shape": list(each.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    media_type = "application/vnd.safetensors"
    headers = {"Content-Type": media_type, "Accept": media_type}
    return b"".join([struct.pack("<Q", len(text)), text, *contents]), headers

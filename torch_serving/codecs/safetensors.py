"""Bodies of safetensors: a tensor for each argument, and one for each part of the result.

A body is the length of its header in 8 bytes, the header in JSON, and the elements. Tensors are
views of the body's memory where that is writable and aligned, and copies elsewhere.
"""

import codecs
import functools
import math
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from torch_serving.codecs.arrays import to_numpy, unusual_kind, writable_native
from torch_serving.codecs.interfaces import Body, Codec
from torch_serving.codecs.json._decoder import Argument, Value, read_json
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor
from torch_serving.codecs.tensor_tree.unflatten import MAX_TENSORS
from torch_serving.errors import InvalidInput, ServingError, UnsupportedResult

MAX_HEADER_BYTES = 100_000_000  # as in the reference implementation
MAX_REMEMBERED_BYTES = 1024  # of a header: short ones are repeated from request to request
MAX_REMEMBERED_TENSORS = 16
LENGTH_BYTES = 8
METADATA = "__metadata__"
HAS_E8M0 = hasattr(torch, "float8_e8m0fnu")  # since torch 2.7


class DataType(NamedTuple):
    """`array` is numpy's data type; for types that numpy lacks, that of their bits."""

    name: str
    tensor: torch.dtype
    array: np.dtype[Any]
    is_bits: bool


def row(name: str, tensor: str, bits: str = "") -> DataType:
    array = np.dtype(bits or tensor).newbyteorder("<")
    return DataType(name, getattr(torch, tensor), array, bool(bits))


DATA_TYPES = {
    each.name: each
    for each in (
        row("BOOL", "bool"),
        *(row(f"I{bits}", f"int{bits}") for bits in (8, 16, 32, 64)),
        *(row(f"U{bits}", f"uint{bits}") for bits in (8, 16, 32, 64)),
        *(row(f"F{bits}", f"float{bits}") for bits in (16, 32, 64)),
        row("BF16", "bfloat16", "uint16"),
        row("C64", "complex64"),
        row("F8_E4M3", "float8_e4m3fn", "uint8"),
        row("F8_E5M2", "float8_e5m2", "uint8"),
        row("F8_E4M3FNUZ", "float8_e4m3fnuz", "uint8"),
        row("F8_E5M2FNUZ", "float8_e5m2fnuz", "uint8"),
        *([row("F8_E8M0", "float8_e8m0fnu", "uint8")] if HAS_E8M0 else []),
    )
}
OF_TENSOR = {each.tensor: each for each in DATA_TYPES.values()}


class Part(NamedTuple):
    """A tensor as the header describes it; `start` is its first byte behind the header."""

    name: str
    data_type: DataType
    shape: tuple[int, ...]
    elements: int
    start: int


class Header(NamedTuple):
    parts: tuple[Part, ...]
    data_bytes: int


def read(body: Body, arguments: Sequence[Argument]) -> dict[str, Leaf]:
    """Read the tensors of a body; all sizes are checked before anything is allocated.

    Raises InvalidInput for a body that is not safetensors.
    """
    length = int.from_bytes(body[:LENGTH_BYTES], "little")
    start = LENGTH_BYTES + length
    if length > MAX_HEADER_BYTES or start > len(body):
        raise not_safetensors(f"a header of {length} bytes in a body of {len(body)}")
    text = bytes(memoryview(body)[LENGTH_BYTES:start])
    header = remembered(text) if length <= MAX_REMEMBERED_BYTES else parse(text)
    if start + header.data_bytes != len(body):
        raise not_safetensors(
            f"its header describes {header.data_bytes} bytes, {len(body) - start} follow it"
        )
    return {part.name: tensor_of(part, body, start + part.start) for part in header.parts}


def not_safetensors(problem: str) -> InvalidInput:
    return InvalidInput(f"the body is not safetensors: {problem}")


def tensor_of(part: Part, body: Body, at: int) -> torch.Tensor:
    data_type = part.data_type
    if not part.elements:
        return torch.empty(part.shape, dtype=data_type.tensor)
    array: NDArray[Any] = np.frombuffer(body, data_type.array, part.elements, at)
    if data_type.name == "BOOL" and array.view(np.uint8).max() > 1:
        raise InvalidInput(f"input `{part.name[:100]}`: a bool is neither 0 nor 1")
    tensor = torch.from_numpy(writable_native(array).reshape(part.shape))
    return tensor.view(data_type.tensor) if data_type.is_bits else tensor


def parse(text: bytes) -> Header:
    try:
        if text.startswith(codecs.BOM_UTF8):
            raise InvalidInput("the header begins with a byte order mark")
        root = read_json(text)
        if root.count > MAX_TENSORS + 1:
            raise InvalidInput(f"{root.count} tensors; the limit is {MAX_TENSORS}")
        members = root.members()
        metadata = members.pop(METADATA, None)
        parts = [read_part(name, value) for name, value in members.items()]
        if metadata is not None and metadata.kind != "null":
            check_metadata(metadata)
        root.validate()
    except ServingError as error:
        raise not_safetensors(error.detail) from None
    parts.sort(key=lambda part: (part.start, part.elements))  # one without elements comes first
    return Header(tuple(parts), end_of(parts))


remembered = functools.lru_cache(256)(parse)


def read_part(name: str, value: Value) -> Part:
    members = value.members()
    for key in ("dtype", "shape", "data_offsets"):
        if key not in members:
            raise value.error(f"the key `{key}` is missing")
    data_type = DATA_TYPES.get(members["dtype"].string())
    if data_type is None:
        raise members["dtype"].error(f"expected one of {', '.join(DATA_TYPES)}")
    shape, offsets = members["shape"].shape(), members["data_offsets"]
    if offsets.kind != "array" or offsets.count != 2:
        raise offsets.error("expected two offsets")
    elements, (start, end) = math.prod(shape), [each.integer() for each in offsets.elements()]
    needed = elements * data_type.array.itemsize
    if end - start != needed:
        raise value.error(
            f"shape {list(shape)} of {data_type.name} takes {needed} bytes, not {start} to {end}"
        )
    return Part(name, data_type, shape, elements, start)


def check_metadata(metadata: Value) -> None:
    for value in metadata.members().values():
        value.string()


def end_of(parts: list[Part]) -> int:
    """Where the last tensor ends. Raises InvalidInput for tensors with a hole or overlap."""
    end = 0
    for part in parts:
        if part.start != end:
            raise not_safetensors(
                f"tensor `{part.name[:100]}` starts at {part.start}, the one before ends at {end}"
            )
        end += part.elements * part.data_type.array.itemsize
    return end


def write(tensors: dict[str, Leaf], result: str = "") -> bytes:
    """Write tensors, and the text `result` into the metadata.

    Raises UnsupportedResult for those that the format lacks.
    """
    pieces = [(name, *array_of(name, leaf)) for name, leaf in tensors.items()]
    pieces.sort(key=lambda piece: -piece[1].array.itemsize)  # so that all are aligned
    described = tuple([(name, data_type.name, array.shape) for name, data_type, array in pieces])
    few = len(described) <= MAX_REMEMBERED_TENSORS
    if few and len(result) + sum(map(len, tensors)) <= MAX_REMEMBERED_BYTES:
        head = remembered_head(described, result)
    else:
        head = head_of(described, result)
    return b"".join((head, *[array.data for _, _, array in pieces]))


def head_of(described: tuple[tuple[str, str, tuple[int, ...]], ...], result: str) -> bytes:
    """The header of tensors that follow each other in this order, and its length before it."""
    entries, end = [], 0
    if result:
        entries.append(f'"{METADATA}":{{"result":{quoted(result)}}}')
    for name, data_type, shape in described:
        start, end = end, end + math.prod(shape) * DATA_TYPES[data_type].array.itemsize
        entries.append(
            f'{quoted(name)}:{{"dtype":"{data_type}","shape":[{",".join(map(str, shape))}],'
            f'"data_offsets":[{start},{end}]}}'
        )
    header = f"{{{','.join(entries)}}}".encode()
    header += b" " * (-len(header) % LENGTH_BYTES)
    return len(header).to_bytes(LENGTH_BYTES, "little") + header


remembered_head = functools.lru_cache(256)(head_of)


def array_of(name: str, leaf: Leaf) -> tuple[DataType, NDArray[Any]]:
    if isinstance(leaf, StringTensor):
        raise UnsupportedResult(f"result `{name}`: safetensors holds no strings")
    if unusual_kind(leaf):
        raise UnsupportedResult(f"result `{name}`: safetensors holds dense tensors only")
    data_type = OF_TENSOR.get(leaf.dtype)
    if data_type is None:
        raise UnsupportedResult(f"safetensors has no data type {leaf.dtype}")
    if name == METADATA:
        raise UnsupportedResult(f"result `{name}`: safetensors keeps this name for itself")
    if data_type.is_bits:
        leaf = leaf.detach().contiguous().view(getattr(torch, data_type.array.name))
    return data_type, to_numpy(leaf)


SAFETENSORS = Codec("application/vnd.safetensors", read, write)

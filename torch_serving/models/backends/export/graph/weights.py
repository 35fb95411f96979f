"""Weights and constants of a program: from the file straight into memory of torch."""

import os
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.payloads import Payload, Payloads
from torch_serving.models.backends.export.graph.source import StoredTensor

LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and the extra field
SIGNATURE = b"PK\x03\x04"
CUT = "a weight ends before its end; copy the file again"


class Weights(NamedTuple):
    """The tensors of a program by name in the graph, and the memory that they take together."""

    tensors: Mapping[str, torch.Tensor]
    bytes: int


def read_weights(
    archive: zipfile.ZipFile,
    payloads: Payloads,
    wanted: Mapping[str, StoredTensor],
    device: torch.device,
) -> Weights:
    """Read tensors onto a device. Those that share memory in the file do so here.

    Raises InvalidServable.
    """
    found = {name: payload_of(stored, payloads) for name, stored in wanted.items()}
    memory = read_entries(archive, {each.entry for each in found.values()}, device)
    tensors = {name: tensor_of(each, memory[each.entry]) for name, each in found.items()}
    return Weights(tensors, sum(each.nbytes for each in memory.values()))


def payload_of(stored: StoredTensor, payloads: Payloads) -> Payload:
    is_weight = stored.kind != "tensor_constant" and stored.is_persistent
    places = (payloads.weights, payloads.constants)
    for place in places if is_weight else reversed(places):
        if stored.name in place:
            return place[stored.name]
    raise InvalidServable(f"it holds no tensor `{stored.name[:80]}`")


def tensor_of(payload: Payload, memory: torch.Tensor) -> torch.Tensor:
    """The tensor in the bytes of an entry."""
    tensor = torch.empty(0, dtype=payload.dtype, device=memory.device)
    storage = memory.untyped_storage()
    tensor.set_(storage, payload.offset, payload.sizes, payload.strides)
    # torch multiplies matrices in another way where one of them asks for gradients
    has_gradients = payload.dtype.is_floating_point or payload.dtype.is_complex
    return tensor.requires_grad_(payload.requires_grad and has_gradients)


def read_entries(
    archive: zipfile.ZipFile, names: Iterable[str], device: torch.device
) -> dict[str, torch.Tensor]:
    """Read entries that are stored as they are, as bytes on a device."""
    file = archive.fp
    if file is None:
        raise InvalidServable("the file can't be read")
    found = {}
    for name in sorted(names):
        entry = archive.getinfo(name)
        memory = torch.empty(entry.file_size, dtype=torch.uint8)
        read_into(file.fileno(), begin_of(file.fileno(), entry), memory)
        found[name] = memory.to(device)
    return found


def begin_of(descriptor: int, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of an entry begin; its lengths stand before them, too."""
    head = os.pread(descriptor, LOCAL_HEADER.size, entry.header_offset)
    if len(head) < LOCAL_HEADER.size:
        raise InvalidServable(CUT)
    signature, name, extra = LOCAL_HEADER.unpack(head)
    if signature != SIGNATURE:
        raise InvalidServable(f"its entry {entry.filename[:80]} is not where it should be")
    return int(entry.header_offset) + LOCAL_HEADER.size + int(name) + int(extra)


def read_into(descriptor: int, begin: int, memory: torch.Tensor) -> None:
    """Fill memory from a file, which takes no lock of Python's."""
    array: Any = memory.numpy()
    view = memoryview(array)
    while view:
        count = os.preadv(descriptor, [view], begin)
        if not count:
            raise InvalidServable(CUT)
        view = view[count:]
        begin += count

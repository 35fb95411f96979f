"""The weights and constants beside a program: each one's place in the archive, and its bounds.

A weight is raw bytes. torch pickles those that are no plain tensors, which are not read here.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from torch_serving.errors import InvalidServable
from torch_serving.models.backends.export.archive.entries import shown
from torch_serving.models.backends.export.archive.json_object import HINT, parse_json
from torch_serving.models.backends.export.signature.document import DATA_TYPES

Json = dict[str, Any]

WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
STRIDED = 7  # torch's number of the layout
MAX_DIMENSIONS = 64
MAX_BYTES = 1 << 62
DTYPES: Mapping[int, torch.dtype] = {
    number: getattr(torch, name)
    for number, name in DATA_TYPES.items()
    if hasattr(torch, name)  # torch before 2.7 has no float8_e8m0fnu
}


class Payload(NamedTuple):
    """A weight or constant: a view of the raw bytes in an entry of the archive."""

    entry: str
    dtype: torch.dtype
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int  # in elements
    requires_grad: bool


class Payloads(NamedTuple):
    """The parameters and persistent buffers of a program, and its other tensors, by name."""

    weights: Mapping[str, Payload]
    constants: Mapping[str, Payload]


def check_payloads(archive: zipfile.ZipFile, root: str, program: str, document: Json) -> None:
    """Raise InvalidServable where a tensor that a program names is missing or is no raw bytes."""
    held = read_payloads(archive, root, program)
    for kind, name in tensors_named_in(document):
        if name not in (held.weights if kind == "weight" else held.constants):
            raise InvalidServable(f"its {kind} {shown(name)} is missing; {HINT}")


def read_payloads(archive: zipfile.ZipFile, root: str, program: str) -> Payloads:
    """Read where the tensors of a program lie. Raises InvalidServable for what can't be read."""
    return Payloads(
        read_kind(archive, root, f"{WEIGHTS}{program}_weights_config.json", "weight"),
        read_kind(archive, root, f"{CONSTANTS}{program}_constants_config.json", "constant"),
    )


def read_kind(archive: zipfile.ZipFile, root: str, file: str, kind: str) -> dict[str, Payload]:
    folder = root + file.rpartition("/")[0] + "/"
    if root + file not in archive.NameToInfo:
        raise InvalidServable(f"its {file} is missing; {HINT}")
    config = parse_json(archive, root + file).get("config")
    if not isinstance(config, dict):
        raise InvalidServable(f"its {file} has no config; {HINT}")
    payloads = {}
    for name, meta in config.items():
        payload, problem = payload_of(archive, folder, meta)
        if payload is None:
            raise InvalidServable(f"its {kind} {shown(name)} {problem}")
        payloads[name] = payload
    return payloads


def payload_of(archive: zipfile.ZipFile, folder: str, meta: Any) -> tuple[Payload | None, str]:
    """A weight or constant, or None and what is wrong with it."""
    try:
        return checked_payload(archive, folder, meta), ""
    except ValueError as error:
        return None, str(error)


def checked_payload(archive: zipfile.ZipFile, folder: str, meta: Any) -> Payload:
    """Raises ValueError, with the end of a sentence about the weight."""
    if not isinstance(meta, dict) or not isinstance(meta.get("path_name"), str):
        raise ValueError("has no path_name")
    file = meta["path_name"]
    if meta.get("use_pickle") is not False:
        raise ValueError(pickle_problem(file))
    entry = archive.NameToInfo.get(folder + file)
    if entry is None or "/" in file:
        raise ValueError(f"is missing: there is no {shown(file)} in the archive")
    tensor = meta.get("tensor_meta")
    if not isinstance(tensor, dict):
        raise ValueError("has no tensor_meta")
    payload = Payload(
        entry.filename,
        dtype_of(tensor),
        tuple(numbers_of(tensor, "sizes")),
        tuple(numbers_of(tensor, "strides")),
        number_of(tensor, "storage_offset"),
        tensor.get("requires_grad") is True,
    )
    check_extent(payload, entry.file_size)
    return payload


def pickle_problem(file: str) -> str:
    if file.startswith(("custom_obj_", "opaque_obj_")):
        what = "is an object of a class of its own, which"
    else:
        what = "is no plain tensor (a subclass, as quantization has): it"
    return f"{what} was pickled, and pickles are not read: export the model without it"


def dtype_of(tensor: Json) -> torch.dtype:
    number, layout = tensor.get("dtype"), tensor.get("layout")
    if type(number) is not int or number not in DTYPES:
        raise ValueError(f"has an unknown data type ({ascii(number)[:20]})")
    if layout != STRIDED:
        raise ValueError("is sparse, or has another layout that is not served")
    return DTYPES[number]


def numbers_of(tensor: Json, key: str) -> Iterator[int]:
    values = tensor.get(key)
    if not isinstance(values, list) or len(values) > MAX_DIMENSIONS:
        raise ValueError(f"has no {key}")
    for value in values:
        yield as_number(value, key)


def number_of(tensor: Json, key: str) -> int:
    return as_number(tensor.get(key), key)


def as_number(value: Any, key: str) -> int:
    number = value.get("as_int") if isinstance(value, dict) else None
    if type(number) is not int or not 0 <= number < MAX_BYTES:
        raise ValueError(f"has {key} that no tensor in a file has")
    return number


def check_extent(payload: Payload, entry_bytes: int) -> None:
    """Raise ValueError for a view that reaches beyond the bytes that are there."""
    if len(payload.sizes) != len(payload.strides):
        raise ValueError("has another number of sizes than of strides")
    if math.prod(payload.sizes) * payload.dtype.itemsize >= MAX_BYTES:
        raise ValueError("is larger than any memory")
    if 0 in payload.sizes:
        return
    if not entry_bytes:
        raise ValueError("has no bytes in the archive, which was saved without its weights")
    reach = zip(payload.sizes, payload.strides, strict=True)
    last = payload.offset + sum((size - 1) * stride for size, stride in reach)
    if (last + 1) * payload.dtype.itemsize > entry_bytes:
        raise ValueError(
            f"reaches beyond its file: it ends at byte {(last + 1) * payload.dtype.itemsize:,}, "
            f"and the file has {entry_bytes:,}"
        )


def tensors_named_in(document: Json) -> Iterator[tuple[str, str]]:
    """Yield kind and name of the tensors that the signature of a program has beside its inputs."""
    for spec in document["graph_module"]["signature"]["input_specs"]:
        ((kind, value),) = spec.items()
        if kind == "parameter":
            yield "weight", value["parameter_name"]
        elif kind == "buffer":
            yield "weight" if value["persistent"] else "constant", value["buffer_name"]
        elif kind == "tensor_constant":
            yield "constant", value["tensor_constant_name"]
        elif kind == "custom_obj":
            name = value["custom_obj_name"]
            raise InvalidServable(f"its constant {shown(name)} {pickle_problem('custom_obj_')}")

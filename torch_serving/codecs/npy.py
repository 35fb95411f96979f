"""Bodies of numpy's `.npy`: one tensor in, one tensor out. Nothing is unpickled."""

import ast
import functools
import io
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from torch_serving.codecs.arrays import BFLOAT16, to_numpy, writable_native
from torch_serving.codecs.interfaces import Body, Codec
from torch_serving.codecs.json._decoder import MAX_RANK, Argument
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor, only_input
from torch_serving.errors import InvalidInput, NotAcceptable

MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {b"\1\0": 2, b"\2\0": 4}  # of the header, by version
MAX_HEADER_BYTES = 4096  # of one shape and data type; numpy writes 118
MAX_REMEMBERED = 256  # headers: clients and results repeat few different ones
KINDS = "?bBhHiIlLqQefdFD"  # what torch has too
LONG = re.compile(r"(?<=\d)L\b")  # Python 2 wrote shapes as (3L,)


class Header(NamedTuple):
    """`fortran`: whether columns come first."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def read(body: Body, arguments: Sequence[Argument]) -> dict[str, Leaf]:
    """Read the one tensor of a body.

    Raises InvalidInput for a method that needs other inputs, and for a body that is not `.npy`.
    """
    name = only_input(arguments, "a .npy body holds one tensor").name
    return {name: torch.from_numpy(parse_array(body))}


def parse_array(body: Body) -> NDArray[Any]:
    """The array of a body, in the body's own memory where that is writable."""
    (shape, fortran, dtype), start = read_header(body)
    # in Python's integers, which do not overflow
    needed, given = math.prod(shape) * dtype.itemsize, len(body) - start
    if needed != given:
        raise InvalidInput(f"shape {list(shape)} of {dtype} takes {needed} bytes, got {given}")
    if not needed:
        return np.empty(shape, dtype.newbyteorder("="))
    array: NDArray[Any] = np.frombuffer(body, dtype, offset=start)
    if dtype.char == "?" and array.view(np.uint8).max() > 1:
        raise InvalidInput("a bool of the .npy body is neither 0 nor 1")
    return writable_native(array.reshape(shape, order="F" if fortran else "C"))


def read_header(body: Body) -> tuple[Header, int]:
    """The header, and where the numbers start."""
    if not body.startswith(MAGIC):
        raise not_npy("it starts with other bytes than `\\x93NUMPY`")
    length_bytes = LENGTH_BYTES.get(bytes(body[6:8]))
    if length_bytes is None:
        raise InvalidInput("the .npy body is of another version than 1.0 and 2.0")
    start = 8 + length_bytes
    length = int.from_bytes(body[8:start], "little")
    if length > MAX_HEADER_BYTES:
        raise not_npy(f"its header has {length} bytes; the limit is {MAX_HEADER_BYTES}")
    if start + length > len(body):
        raise not_npy(f"its header shall have {length} bytes, and the body ends before")
    return parse_header(bytes(body[start : start + length])), start + length


def not_npy(problem: str) -> InvalidInput:
    return InvalidInput(f"the body is not .npy: {problem}")


@functools.lru_cache(MAX_REMEMBERED)
def parse_header(text: bytes) -> Header:
    try:
        members = ast.literal_eval(LONG.sub("", text.decode("latin-1")))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise not_npy("its header is not a dictionary of Python's literals") from None
    if not isinstance(members, dict) or members.keys() != {"descr", "fortran_order", "shape"}:
        raise not_npy("its header is not a dictionary of `descr`, `fortran_order` and `shape`")
    shape, fortran = members["shape"], members["fortran_order"]
    if not is_shape(shape):
        raise not_npy(f"`shape` is a tuple of at most {MAX_RANK} sizes, got {shape!r:.80}")
    if not isinstance(fortran, bool):
        raise not_npy(f"`fortran_order` is True or False, got {fortran!r:.80}")
    return Header(shape, fortran, dtype_of(members["descr"]))


def is_shape(shape: Any) -> bool:
    """Whether it is one whose sizes fit; torch multiplies even those beside a 0."""
    if not isinstance(shape, tuple) or len(shape) > MAX_RANK:
        return False
    return all(type(size) is int and 0 <= size < 1 << 59 for size in shape)


def dtype_of(description: Any) -> np.dtype[Any]:
    try:
        # a list describes records
        dtype = np.dtype(description) if isinstance(description, str) else None
    except Exception:  # numpy raises errors of many kinds
        dtype = None
    if dtype is None or dtype.char not in KINDS:
        raise InvalidInput(f"the .npy body has the data type {description!r:.40}; send numbers")
    return dtype


def write(tensors: dict[str, Leaf]) -> bytes:
    """Write the one tensor of a result.

    Raises NotAcceptable for any other result, and for a data type that numpy lacks.
    """
    leaf = next(iter(tensors.values())) if len(tensors) == 1 else None
    if leaf is None or isinstance(leaf, StringTensor):
        names = ", ".join(tensors)[:200] or "nothing"
        raise NotAcceptable(f".npy holds one tensor; the model gave {names}")
    array = to_numpy(leaf)
    if array.dtype == BFLOAT16:
        raise NotAcceptable(".npy has no bfloat16; ask for application/vnd.safetensors")
    return b"".join((head_of(array.dtype, array.shape), array.data))


@functools.lru_cache(MAX_REMEMBERED)
def head_of(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    head = io.BytesIO()
    npy.write_array_header_1_0(
        head, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    return head.getvalue()


NPY = Codec("application/x-npy", read, write)

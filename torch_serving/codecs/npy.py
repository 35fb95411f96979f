"""Bodies of numpy's `.npy`: one tensor in, one tensor out. Nothing is unpickled."""

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from torch_serving.codecs.arrays import BFLOAT16, to_numpy, writable_native
from torch_serving.codecs.interfaces import Body, Codec
from torch_serving.codecs.json._decoder import MAX_RANK, Argument
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor, only_input
from torch_serving.errors import InvalidInput, NotAcceptable

MAX_HEADER_BYTES = 4096  # of one shape and data type; numpy writes 118
KINDS = "?bBhHiIlLqQefdFD"  # what torch has too
READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(body: Body, arguments: Sequence[Argument]) -> dict[str, Leaf]:
    """Read the one tensor of a body.

    Raises InvalidInput for a method that needs other inputs, and for a body that is not `.npy`.
    """
    name = only_input(arguments, "a .npy body holds one tensor").name
    return {name: torch.from_numpy(parse_array(body))}


def parse_array(body: Body) -> NDArray[Any]:
    """The array of a body, in the body's own memory where that is writable."""
    shape, fortran, dtype, start = read_header(body)
    bad = [each for each in shape if not 0 <= each < 1 << 59]
    if len(shape) > MAX_RANK or bad:
        raise InvalidInput(f"the shape of the .npy body is not one: {str(shape)[:100]}")
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


def read_header(body: Body) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns come first, data type, and where the numbers start."""
    head = io.BytesIO(body[: MAX_HEADER_BYTES + 12])
    try:
        version = npy.read_magic(head)
        shape, fortran, dtype = READERS[version](head, max_header_size=MAX_HEADER_BYTES)
    except KeyError:
        raise InvalidInput("the .npy body is of another version than 1.0 and 2.0") from None
    except Exception as error:  # numpy's parser raises errors of many kinds
        reason = str(error).partition("\n")[0][:200]
        raise InvalidInput(f"the body is not .npy: {reason}") from None
    if dtype.char not in KINDS:
        raise InvalidInput(f"the .npy body has the data type {str(dtype)[:40]}; send numbers")
    return shape, fortran, dtype, head.tell()


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
    head = io.BytesIO()
    npy.write_array_header_1_0(head, npy.header_data_from_array_1_0(array))
    return b"".join((head.getvalue(), array.data))


NPY = Codec("application/x-npy", read, write)

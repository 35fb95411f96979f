"""Arguments -> the body of a request: tensors as they lie in memory, or JSON."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from torch_serving.client import safetensors
from torch_serving.client.arguments import holds_image, prepared
from torch_serving.client.arrays import BFLOAT16
from torch_serving.client.image import Image
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.errors import NotAcceptable, UnsupportedResult

NPY = "application/x-npy"
MAX_TENSORS = 1024  # of a binary body, as the server has it
PIECE_BYTES = 1 << 20  # what is handed to a socket at once
OF_NUMBERS = {bool: "bool", int: "int64", float: "float64"}
MAX_INT64 = 1 << 63

Piece = bytes | memoryview


class Body(NamedTuple):
    """A body in pieces. `is_binary`: whether it can be sent as JSON instead."""

    pieces: tuple[Piece, ...] = ()
    media_type: str = ""
    is_binary: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe it."""
        if not self.media_type:
            return {}
        return {"Content-Type": self.media_type, "Content-Length": str(self.size)}

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    def __iter__(self) -> Iterator[bytes]:  # type: ignore[override]
        if self.size <= PIECE_BYTES:
            yield b"".join(self.pieces)  # one write for all
            return
        for piece in self.pieces:
            view = memoryview(piece)
            for start in range(0, len(view), PIECE_BYTES):
                yield bytes(view[start : start + PIECE_BYTES])


NO_BODY = Body()


class Arguments(NamedTuple):
    """Prepared arguments, all by position or all by name."""

    positional: tuple[Any, ...]
    named: Mapping[str, Any]

    def body(self, may_be_binary: bool, are_tensors: bool = False) -> Body:
        """Their body, in which numbers may be tensors. Raises TypeError or ValueError."""
        if may_be_binary:
            binary = npy_body(self.positional) if self.positional else named_body(self.named)
            if binary is not None:
                return binary
        return json_body(self.positional, self.named, tensor_text if are_tensors else text_of)

    @property
    def have_numbers(self) -> bool:
        """Whether there are numbers, or lists, which may be meant as tensors."""
        kinds = (bool, int, float, list)
        return any(isinstance(each, kinds) for each in (*self.positional, *self.named.values()))


def arguments_of(positional: Sequence[Any], named: Mapping[str, Any]) -> Arguments:
    """Prepare the arguments of a call.

    Raises TypeError for a value that can't be sent, ValueError for one without an end.
    """
    try:
        return Arguments(
            tuple([prepared(each, f"argument {at}") for at, each in enumerate(positional, 1)]),
            {name: prepared(each, f"argument `{name}`") for name, each in named.items()},
        )
    except RecursionError:
        raise ValueError("an argument holds itself, or is nested too deep") from None


def npy_body(positional: Sequence[Any]) -> Body | None:
    """One array as numpy's file, which needs no name; None for other arguments."""
    if len(positional) != 1 or not isinstance(positional[0], np.ndarray):
        return None
    array = positional[0]
    if array.dtype == BFLOAT16:
        return None
    head = io.BytesIO()
    npy.write_array_header_1_0(
        head,
        {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape},
    )
    return Body((head.getvalue(), safetensors.bytes_of(array)), NPY, True)


def named_body(named: Mapping[str, Any]) -> Body | None:
    """Named tensors as safetensors; None where an argument has another form."""
    arrays: dict[str, Any] = {}
    for name, value in named.items():
        if not add_value(arrays, name, value):
            return None
    if not 0 < len(arrays) <= MAX_TENSORS:
        return None
    if not any(isinstance(value, np.ndarray) for value in arrays.values()):
        return None  # numbers alone are as short in JSON
    numbers = {name: array_of(value) for name, value in arrays.items()}
    return Body(tuple(safetensors.write(numbers)), safetensors.MEDIA_TYPE, True)


def add_value(arrays: dict[str, Any], name: str, value: Any) -> bool:
    """Add a value under the names of its parts, unless there is something without such a form."""
    if isinstance(value, np.ndarray):
        fits = value.dtype in safetensors.NAMES
    elif isinstance(value, bool | float):
        fits = True
    elif isinstance(value, int):
        fits = -MAX_INT64 <= value < MAX_INT64
    else:
        return add_parts(arrays, name, value)
    arrays[name] = value
    return fits


def add_parts(arrays: dict[str, Any], name: str, value: Any) -> bool:
    """Add the arrays of a container, by the paths to them."""
    if isinstance(value, dict):
        parts = list(value.items())
        if not all(isinstance(key, str) and "." not in key for key in value):
            return False
    elif isinstance(value, list | tuple):
        names = getattr(value, "_fields", range(len(value)))
        parts = list(zip(names, value, strict=True))
    else:
        return False
    if not parts or any(isinstance(each, bool | int | float) for _, each in parts):
        return False  # a list of numbers is one tensor, but in a tuple they are several
    return all(add_value(arrays, f"{name}.{part}", each) for part, each in parts)


def array_of(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    return np.array(value, OF_NUMBERS[type(value)])


def envelope_of(value: Any) -> dict[str, Any] | None:
    """The envelope of a member of an enumeration."""
    name = getattr(value, "name", None)
    return None if name is None else {"type": "enum", "value": name}


ENCODER = Encoder(np.ndarray, lambda array: array, to_envelope=envelope_of)


def json_body(
    positional: Sequence[Any], named: Mapping[str, Any], text_of: Callable[[Any, str], bytes]
) -> Body:
    """Arguments as a list, or by their names."""
    if named:
        members = [
            json.dumps(name).encode() + b":" + text_of(each, f"argument `{name}`")
            for name, each in named.items()
        ]
        text = b"{" + b",".join(members) + b"}"
    else:
        text = (
            b"["
            + b",".join([text_of(each, f"argument {at}") for at, each in enumerate(positional, 1)])
            + b"]"
        )
    return Body((text,), "application/json")


def tensor_text(value: Any, where: str) -> bytes:
    """Numbers as a tensor of the type that the model wants; other values as they are."""
    numbers = numbers_in(value)
    if numbers is None:
        return text_of(value, where)
    return b'{"type":"tensor","value":' + json.dumps(numbers).encode() + b"}"


def numbers_in(value: Any) -> Any:
    """A number, or lists of them, as elements of a tensor in JSON; None for other values."""
    if isinstance(value, list):
        parts = [numbers_in(each) for each in value]
        return None if None in parts else parts
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return (
            value
            if isfinite(value)
            else str(value).replace("nan", "NaN").replace("inf", "Infinity")
        )
    return None


def text_of(value: Any, where: str) -> bytes:
    """A value in envelopes, which leave no doubt of what is meant. Raises ValueError."""
    try:
        return text_with_images(value) if holds_image(value) else ENCODER.encode(value)
    except (UnsupportedResult, NotAcceptable) as error:
        raise ValueError(error.detail.replace("result", where, 1)) from None


def text_with_images(value: Any) -> bytes:
    if isinstance(value, Image):
        return json.dumps(value.envelope()).encode()
    if isinstance(value, dict):
        members = [
            json.dumps(key).encode() + b":" + text_with_images(each) for key, each in value.items()
        ]
        return b'{"type":"generic_dict","value":{' + b",".join(members) + b"}}"
    if isinstance(value, list | tuple):
        return b"[" + b",".join(map(text_with_images, value)) + b"]"
    return ENCODER.encode(value)

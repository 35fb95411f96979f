"""What the reference takes of a body: its values with their text, shapes, rounded numbers.

Numbers are rounded with fractions.
"""

import json
import re
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from torch_serving import errors
from torch_serving.errors import IncompatibleDtype, IncompatibleShape, InvalidInput, InvalidJson

MAX_DEPTH = 64
INTEGERS = {f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
INTEGERS |= {f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
# significant bits, the smallest and the largest exponent of normal numbers
FLOATS = {
    "float16": (11, -14, 15), "bfloat16": (8, -126, 127), "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}  # fmt: skip
COMPLEX = {"complex64": "float32", "complex128": "float64"}
NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Number(NamedTuple):
    text: str


class Object(NamedTuple):
    pairs: list[tuple[str, Any]]


class Tensor(NamedTuple):
    """What a tensor is read as: bit patterns of bfloat16 are uint16."""

    array: np.ndarray
    data_type: str

    __hash__ = object.__hash__  # each is a key of its own, as torch's are

    def __eq__(self, other: object) -> bool:
        return self is other


def pointer(path: tuple[Any, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def refuse(
    kind: type[errors.ServingError], path: tuple[Any, ...], came: Any = None
) -> errors.ServingError:
    """An error; a key that stands twice in the object that came matters more."""
    if isinstance(came, Object):
        members_of(came)
    error = kind(pointer(path))
    error.depth, error.path = len(path), path
    return error


def parse(body: bytes) -> Any:
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body:
        raise errors.EmptyBody
    try:
        document = json.loads(
            body.decode(),
            parse_int=Number,
            parse_float=Number,
            parse_constant=lambda _: json.loads(""),
            object_pairs_hook=Object,
        )
        check(document, 1)
    except (ValueError, RecursionError):
        raise InvalidJson from None
    return document


def check(value: Any, depth: int) -> None:
    """No level too deep, and no half of a surrogate pair anywhere."""
    if isinstance(value, str):
        value.encode()
    elif is_container(value):
        if depth > MAX_DEPTH:
            raise ValueError
        for key, member in value.pairs if isinstance(value, Object) else enumerate(value):
            check(key if isinstance(key, str) else None, depth)
            check(member, depth + 1)


def is_container(value: Any) -> bool:
    return type(value) is list or isinstance(value, Object)


def members_of(value: Object) -> dict[str, Any]:
    members = dict(value.pairs)
    if len(members) < len(value.pairs):
        raise InvalidJson
    return members


def is_run(value: Any) -> bool:
    return type(value) is list and not any(map(is_container, value))


def measure(value: Any, path: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that the nesting has; refused if it is ragged."""
    shape: list[int] = []
    first, pointer = value, path
    while type(first) is list:
        if len(shape) == 32:
            raise refuse(IncompatibleShape, pointer)
        shape.append(len(first))
        if is_run(first):
            break
        first, pointer = first[0], (*pointer, 0)
    compare(value, shape, 0, path)
    return tuple(shape)


def compare(value: Any, shape: list[int], depth: int, path: tuple[Any, ...]) -> None:
    if type(value) is not list:
        if depth != len(shape):
            raise refuse(IncompatibleShape, path)
        if isinstance(value, Object):
            raise refuse(IncompatibleDtype, path)
        return
    if depth >= len(shape) or len(value) != shape[depth]:
        raise refuse(IncompatibleShape, path)
    if is_run(value):
        if depth + 1 != len(shape):
            raise refuse(IncompatibleShape, path)
        return
    for index, element in enumerate(value):
        compare(element, shape, depth + 1, (*path, index))


def without_pairs(shape: tuple[int, ...], path: tuple[Any, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and shape[0] % 2 == 0:
        return (shape[0] // 2,)
    if len(shape) < 2 or shape[-1] != 2:
        raise refuse(IncompatibleShape, path)
    return shape[:-1]


def declared(
    value: Any, measured: tuple[int, ...], flat: bool, path: tuple[Any, ...]
) -> tuple[int, ...]:
    if not is_run(value):
        raise refuse(InvalidInput, path)
    if len(value) > 32:
        raise refuse(IncompatibleShape, path)
    dims = []
    for index, dim in enumerate(value):
        try:
            dims.append(dimension(dim))
        except ValueError:  # noqa: PERF203
            raise refuse(IncompatibleShape, (*path, index)) from None
    product = 1
    for index, dim in enumerate(dims):
        product *= dim or 1
        if dim < 0 or 16 * product >= 2**63:
            raise refuse(IncompatibleShape, (*path, index))
    count = 0 if 0 in dims else product
    if count != np.prod(measured, dtype=object) or not (flat or tuple(dims) == measured):
        raise refuse(IncompatibleShape, path)
    return tuple(dims)


def dimension(dim: Any) -> int:
    """A dimension is written with digits only."""
    if isinstance(dim, Number) and set(dim.text) & set(".eE"):
        raise ValueError
    return number_of(dim, "int64")


def to_numpy(
    value: Any, shape: tuple[int, ...], data_type: str, path: tuple[Any, ...]
) -> np.ndarray:
    numbers: list[Any] = []
    collect(value, COMPLEX.get(data_type, data_type), path, numbers)
    dtype = np.dtype({"bfloat16": "uint16", **COMPLEX}.get(data_type, data_type))
    if data_type == "bfloat16":
        numbers = [int(np.float32(number).view(np.uint32)) >> 16 for number in numbers]
    return (
        np.array(numbers, dtype)
        .view({"bfloat16": "uint16"}.get(data_type, data_type))
        .reshape(shape)
    )


def collect(value: Any, data_type: str, path: tuple[Any, ...], numbers: list[Any]) -> None:
    if type(value) is list:
        for index, element in enumerate(value):
            collect(element, data_type, (*path, index), numbers)
        return
    try:
        numbers.append(number_of(value, data_type))
    except ValueError:
        raise refuse(IncompatibleDtype, path) from None


def number_of(value: Any, data_type: str) -> Any:
    """A scalar as a number of this type; ValueError if it can't hold it."""
    if data_type in FLOATS and isinstance(value, str) and value in NON_FINITE:
        return NON_FINITE[value]
    if data_type == "bool":
        if isinstance(value, bool):
            return value
        if not isinstance(value, Number) or value.text[0] == "-":
            raise ValueError
        return bool(("0", "1").index(str(whole(value.text))))
    if not isinstance(value, Number):
        raise ValueError
    if data_type in FLOATS:
        return rounded(value.text, *FLOATS[data_type])
    lowest, highest = INTEGERS[data_type]
    if not lowest <= whole(value.text) <= highest:
        raise ValueError
    return whole(value.text)


def whole(text: str) -> int:
    """The integer that a number is, as `1.0` and `1e2` are; ValueError for others."""
    significand, _, exponent = text.lower().partition("e")
    if abs(int(exponent or 0)) > 10_000:
        if float(significand) == 0:
            return 0
        raise ValueError
    number = Fraction(significand) * Fraction(10) ** int(exponent or 0)
    if number.denominator != 1:
        raise ValueError
    return int(number)


def rounded(text: str, precision: int, lowest: int, highest: int) -> float:
    """The nearest number of so many bits, ties to even."""
    sign, whole, fraction, exponent = re.fullmatch(
        r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?", text
    ).groups("")
    digits = int(whole + fraction)
    power = int(exponent or 0) - len(fraction)
    size = len(str(digits)) + power  # decimal digits before the point
    negative = -1.0 if sign else 1.0
    if digits == 0 or size < -400:
        return negative * 0.0
    if size > 400:
        raise ValueError
    exact = Fraction(digits) * Fraction(10) ** power
    binary = exact.numerator.bit_length() - exact.denominator.bit_length()
    binary -= exact < Fraction(2) ** binary
    unit = Fraction(2) ** (max(binary, lowest) - precision + 1)
    nearest = round(exact / unit) * unit
    if nearest >= Fraction(2) ** (highest + 1):
        raise ValueError
    return negative * float(nearest)

"""Errors of packages: what their libraries say, in the words of a request."""

import re
from collections.abc import Sequence
from typing import Any

from torch_serving.engine.device_errors import device_error, explain, trace_of
from torch_serving.engine.placement_errors import placement_error
from torch_serving.engine.request_errors import request_error
from torch_serving.errors import (
    ClientError,
    IncompatibleDtype,
    IncompatibleShape,
    InferenceFailed,
    InvalidInput,
    ServingError,
)

# A library that checks its inputs calls them by their numbers.
INPUT = re.compile(r"input_handles\[(\d+)\]: (.*)", re.DOTALL)
TYPE = re.compile(r"unmatched dtype, expected: (-?\d+)\(.*\), but got: (-?\d+)")
SIZE = re.compile(
    r"(?:unmatched dim value|dim value is too (?:small|large)) at (?P<dimension>\d+), "
    r"expected(?:: | it to be | to be )(?P<bound>[<>]= )?(?P<size>-?\d+), but got: "
)
BOUNDS = {None: "", ">= ": "at least ", "<= ": "at most "}
# Of the first input that does not fit; its number is not said.
LAYOUT = re.compile(
    r"expected (?:ndim \d+ but got \d+|size \d+==\d+, stride .*)\nError in op: input"
)
OUT_OF_RANGE = re.compile(r"index out of bounds: ")
# torch's own numbers of data types, which files number otherwise.
SCALAR_TYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32",
    7: "float64", 8: "complex32", 9: "complex64", 10: "complex128", 11: "bool", 15: "bfloat16",
    27: "uint16", 28: "uint32", 29: "uint64",
}  # fmt: skip


def translate(error: Exception) -> ServingError:
    """Translate an error that a run of a package raised."""
    if isinstance(error, ServingError):
        return error
    text = explain(error).partition("\n")[0]
    problem = device_error(error) or placement_error(error, text) or request_error(error, text)
    if problem is None:
        kind = InvalidInput if OUT_OF_RANGE.match(text) else InferenceFailed
        problem = kind(text)
    problem.trace = trace_of(error)
    return problem


def input_error(text: str, names: Sequence[str], inputs: Sequence[Any]) -> ClientError | None:
    """The error of an input that a library refused; None for any other.

    `names` are those of the inputs, as errors of requests call them.
    """
    found = INPUT.match(text)
    if not found:
        is_layout = LAYOUT.match(text)
        return IncompatibleShape(text.partition("\nError in op")[0]) if is_layout else None
    index, problem = int(found[1]), found[2]
    name = names[index] if index < len(names) else str(index)
    if wrong := TYPE.match(problem):
        expected, actual = (
            SCALAR_TYPES.get(int(number), "another type") for number in wrong.groups()
        )
        return IncompatibleDtype(f"argument `{name}`: expected {expected}, got {actual}")
    wrong = SIZE.match(problem)
    if not wrong:
        return IncompatibleShape(f"argument `{name}`: {problem.strip()}")
    dimension, shape = int(wrong["dimension"]), list(inputs[index].shape)
    expected = f"{BOUNDS[wrong['bound']]}{wrong['size']}"
    if dimension >= len(shape):  # the library looked past the end
        return IncompatibleShape(
            f"argument `{name}`: expected more dimensions, {expected} the size of the one with "
            f"index {dimension}; got shape {shape}"
        )
    return IncompatibleShape(
        f"argument `{name}`: dimension {dimension} is {shape[dimension]}, not {expected}"
    )

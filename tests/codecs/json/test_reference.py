"""The codec against the reference (reference.py): random schemas, values and broken bodies."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note

from tests.support import reference
from tests.support.reference_requests import requests, spec_of
from tests.support.reference_values import Tensor
from tests.support.reference_writer import write
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.errors import InvalidJson, ServingError

FACTORY = ValueFactory(
    tensor=lambda array: Tensor(array, array.dtype.name),
    bfloat16=lambda array: Tensor(array, "bfloat16"),
    enum=lambda type_, name: (type_, name),
)
BFLOAT16 = np.dtype((np.void, 2))  # as the encoder knows it
ENCODER = Encoder(
    Tensor, lambda t: t.array.view(BFLOAT16) if t.data_type == "bfloat16" else t.array
)


def result_of(read: Any) -> tuple[Any, str | None]:
    """The values, or the class and the pointer of the error."""
    try:
        return read(), None
    except ServingError as error:
        where = error.detail.partition(":")[0]
        quiet = isinstance(error, InvalidJson) or not where.startswith("/")
        return type(error), "" if quiet else where


def bits(value: Any) -> Any:
    """A value in a form that differs whenever a bit does."""
    if isinstance(value, Tensor):
        array = value.array
        return value.data_type, array.dtype.str, array.shape, array.tobytes()
    if isinstance(value, float):
        return "float", np.float64(value).tobytes()
    if isinstance(value, complex):
        return "complex", np.complex128(value).tobytes()
    if isinstance(value, dict):
        return "dict", [(bits(key), bits(member)) for key, member in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [bits(element) for element in value]
    return type(value).__name__, value


def agree(arguments: list[Argument], body: bytes) -> Any:
    """Check that both read the same, or refuse for the same reason at the same location."""
    ours, where = result_of(lambda: Decoder(arguments, FACTORY).decode(body))
    theirs, expected_location = result_of(lambda: reference.read(arguments, body))
    in_windows = result_of(lambda: Decoder(arguments, FACTORY, window_bytes=16).decode(body))
    assert (bits(in_windows[0]), in_windows[1]) == (bits(ours), where)
    if expected_location is not None or where is not None:
        assert (ours, where) == (theirs, expected_location)
        return None
    assert bits(ours) == bits(theirs)
    return ours


@given(requests())
def test_codec_and_reference_agree(request: tuple[list[Argument], bytes]):
    arguments, body = request
    note(f"{[argument.spec for argument in arguments]}")
    values = agree(arguments, body)
    if values is not None:
        written = json.loads(ENCODER.encode(values), object_pairs_hook=list)
        expected = json.loads(json.dumps(write(values)), object_pairs_hook=list)
        assert repr(written) == repr(expected)  # -0.0 is not 0.0, nor is 1.0 just 1


TENSOR_LISTS = spec_of("list", spec_of("list", spec_of("tensor")))


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        (TENSOR_LISTS, '[{"a":1,"a":2},[]]'),
        (TENSOR_LISTS, '[{"a":1,"a":2}]'),
        (spec_of("number"), '{"a":%s}' % ("1" * 30)),
        (spec_of("number"), '{"a":%s}' % ("1" * 61)),
        (spec_of("complex"), '{"a":[1,[2]]}'),
        (spec_of("complex"), '{"a":[{},2]}'),
    ],
)
def test_what_was_once_read_differently(spec: TypeSpec, body: str):
    agree([Argument("a", spec)], body.encode())

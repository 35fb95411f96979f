"""Headers of .npy bodies: what is wrong with one is said in words of our own."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import torch

from torch_serving.codecs.json._decoder import Argument, TypeSpec
from torch_serving.codecs.npy import NPY, parse_header
from torch_serving.errors import InvalidInput

ARGUMENTS = [Argument("x", TypeSpec("tensor", "Tensor"))]
NUMBERS = np.array([1.5, -2, 0.25], np.float32)


def body_of(header: str | bytes, data: bytes = NUMBERS.tobytes()) -> bytearray:
    text = header.encode("latin-1") if isinstance(header, str) else header
    return bytearray(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data)


def described(descr: str = "'<f4'", fortran: str = "False", shape: str = "(3,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def saved(array: np.ndarray) -> bytearray:
    file = io.BytesIO()
    np.save(file, array)
    return bytearray(file.getvalue())


LITERALS = "the body is not .npy: its header is not a dictionary of Python's literals"
KEYS = (
    "the body is not .npy: its header is not a dictionary of `descr`, `fortran_order` and `shape`"
)
SHAPE = "the body is not .npy: `shape` is a tuple of at most 32 sizes, got "
ORDER = "the body is not .npy: `fortran_order` is True or False, got "
MALFORMED = {
    "a name": (body_of(described("float32")), LITERALS),
    "a name as size": (body_of(described(shape="(n,)")), LITERALS),
    "a call": (body_of(described("dtype('f4')")), LITERALS),
    "an attribute": (body_of(described("np.float32")), LITERALS),
    "an operator": (body_of(described(shape="(3*1,)")), LITERALS),
    "a comprehension": (body_of(described(shape="[i for i in (3,)]")), LITERALS),
    "a lambda": (body_of("lambda: 1"), LITERALS),
    "an f-string": (body_of(described("f'<f{4}'")), LITERALS),
    "a list as key": (body_of("{[]: 1}"), LITERALS),
    "no text": (body_of(""), LITERALS),
    "NUL": (body_of(described() + "\0"), LITERALS),
    "half of it": (body_of(described()[:20]), LITERALS),
    "deep": (body_of("(" * 2000 + ")" * 2000), LITERALS),
    "a long number": (body_of(described(shape=f"({'9' * 4000},)")[:4096]), None),
    "a list": (body_of("[]"), KEYS),
    "a set": (body_of("{'descr', 'fortran_order', 'shape'}"), KEYS),
    "a key too many": (body_of(described()[:-2] + "'x': 1}"), KEYS),
    "a key too few": (body_of("{'descr': '<f4', 'shape': (3,)}"), KEYS),
    "keys of bytes": (body_of(described().replace("'shape'", "b'shape'")), KEYS),
    "a size alone": (body_of(described(shape="3")), SHAPE + "3"),
    "sizes as list": (body_of(described(shape="[3]")), SHAPE + "[3]"),
    "a fraction as size": (body_of(described(shape="(3.0,)")), SHAPE + "(3.0,)"),
    "True as size": (body_of(described(shape="(3, True)")), SHAPE + "(3, True)"),
    "a negative size": (body_of(described(shape="(-3, -1)")), SHAPE + "(-3, -1)"),
    "33 sizes": (body_of(described(shape=f"({'1,' * 33})")), SHAPE + "(1, 1"),
    "a size over 64 bits": (body_of(described(shape=f"(0, {2**70})"), b""), SHAPE + "(0, 118"),
    "a number as order": (body_of(described(fortran="0")), ORDER + "0"),
    "an ellipsis as order": (body_of(described(fortran="...")), ORDER + "Ellipsis"),
    "an unknown data type": (
        body_of(described("'<x4'")),
        "the .npy body has the data type '<x4'; send numbers",
    ),
    "records": (
        body_of(described("[('a', '<f4')]")),
        "the .npy body has the data type [('a', '<f4')]; send numbers",
    ),
    "rows as data type": (
        body_of(described("'3<f4'", shape="(1,)")),
        "the .npy body has the data type '3<f4'; send numbers",
    ),
    "objects": (body_of(described("'|O'")), "the .npy body has the data type '|O'; send numbers"),
    "other bytes before": (
        bytearray(b"\x93NUMPX\1\0" + bytes(100)),
        "the body is not .npy: it starts with other bytes than `\\x93NUMPY`",
    ),
    "version 3": (
        bytearray(b"\x93NUMPY\3\0" + bytes(100)),
        "the .npy body is of another version than 1.0 and 2.0",
    ),
    "cut in the version": (
        bytearray(b"\x93NUMPY\1"),
        "the .npy body is of another version than 1.0 and 2.0",
    ),
    "cut in the length": (bytearray(b"\x93NUMPY\1\0\1"), "the body is not .npy: its header shall"),
    "cut in the header": (
        bytearray(b"\x93NUMPY\1\0\x76\0{'descr'"),
        "the body is not .npy: its header shall have 118 bytes, and the body ends before",
    ),
    "a header over the limit": (
        body_of(" " * 4097),
        "the body is not .npy: its header has 4097 bytes; the limit is 4096",
    ),
}


@pytest.mark.parametrize(("body", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_wrong_is_said_without_addresses(body: bytearray, problem: str | None):
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            NPY.read(body, ARGUMENTS)
        detail = caught.value.detail
        assert problem is None or detail.startswith(problem)
        assert " at 0x" not in detail
        assert len(detail) < 300


@pytest.mark.parametrize(
    "header",
    [
        described(),
        described("'=f4'"),
        described(shape="(3L,)"),  # as numpy wrote it under Python 2
        "{'shape':(3,),'fortran_order':True,'descr':'<f4'}",
        ' {"descr": "<f4", "fortran_order": False, "shape": (3,)}' + " " * 60 + "\n",
    ],
)
def test_headers_of_other_writers(header: str):
    assert NPY.read(body_of(header), ARGUMENTS)["x"].tolist() == NUMBERS.tolist()


def test_a_tensor_lies_in_a_body_that_is_writable_and_aligned():
    body = saved(NUMBERS)
    tensor: Any = NPY.read(body, ARGUMENTS)["x"]
    tensor += 1
    assert np.frombuffer(body[-12:], np.float32).tolist() == [2.5, -1, 1.25]
    body = saved(NUMBERS)
    tensor = NPY.read(bytes(body), ARGUMENTS)["x"]
    tensor += 1
    assert np.frombuffer(body[-12:], np.float32).tolist() == NUMBERS.tolist()


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3), (1, 2, 3, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.complex64])
def test_what_is_written_is_read_by_numpy(shape: tuple[int, ...], dtype: torch.dtype):
    tensor = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    written = NPY.write({"x": tensor})
    assert written == bytes(saved(tensor.numpy()))
    assert torch.equal(NPY.read(bytearray(written), ARGUMENTS)["x"], tensor)


def test_few_headers_are_remembered():
    parse_header.cache_clear()
    for number in range(1000):
        NPY.read(body_of(" " * number + described()), ARGUMENTS)
    assert parse_header.cache_info().currsize == 256

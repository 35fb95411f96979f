"""Binary bodies at /serve, on both servers, that are refused."""

import contextlib
import json
import struct
from typing import Any

import numpy as np
import pytest
import safetensors.torch

from tests.support.binary_bodies import FLOATS, NUMPY, SAFE, Ask, array_in, npy_of
from torch_serving.codecs import safetensors as safetensors_form
from torch_serving.errors import InvalidInput


def head(dtype: str = "F32", shape: Any = (3,), offsets: Any = (0, 12), name: str = "x") -> dict:
    return {name: {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def safe(header: Any, data: bytes = bytes(12), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


BIG = 2**63
BAD_SAFETENSORS = {
    "empty": b"x",
    "length of 2^64 - 1": safe(head(), length=2**64 - 1),
    "length of 2^62": safe(head(), length=2**62),
    "length of 0": safe(head(), length=0),
    "length beyond": safe(head(), length=5000),
    "length too small": safe(head(), length=10),
    "no JSON": safe(b"x" * 50),
    "not UTF-8": safe(b'{"\xff": 1}'),
    "an array": safe([]),
    "a tensor that is none": safe({"x": 1}),
    "unknown data type": safe(head("F33")),
    "data type of another size": safe(head("F64")),
    "shape negative": safe(head(shape=[-3])),
    "shape 2^63": safe(head(shape=[BIG])),
    "shape 2^64": safe(head(shape=[2 * BIG])),
    "shape that wraps": safe(head(shape=[3, 2**32, 2**32])),
    "shape that a zero hides": safe(head(shape=[0, 2**40, 2**40], offsets=[0, 0]), b""),
    "shape of fractions": safe(head(shape=[3.0])),
    "offsets backwards": safe(head(offsets=[12, 0])),
    "offsets beyond": safe(head(offsets=[0, 24])),
    "offsets of 2^63": safe(head(offsets=[BIG, BIG + 12])),
    "offsets negative": safe(head(offsets=[-12, 0])),
    "offsets of three": safe(head(offsets=[0, 12, 12])),
    "overlapping": safe(head() | head(name="y"), bytes(12)),
    "a hole": safe(head(offsets=[4, 16]), bytes(16)),
    "too much data": safe(head(), bytes(13)),
    "too little data": safe(head(), bytes(11)),
    "bool of 2": safe(head("BOOL", [3], [0, 3]), b"\0\1\2"),
    "a data type that torch lacks": safe(head("F4", [2], [0, 1]), b"x"),
}


def header(text: str | bytes, data: bytes = bytes(12), version: bytes = b"\1\0") -> bytes:
    content = text if isinstance(text, bytes) else text.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(content)) + content + data


def described(descr: str = "'<f4'", fortran: str = "False", shape: str = "(3,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


BAD_NPY = {
    "no magic": b"x" * 200,
    "only magic": b"\x93NUMPY",
    "cut in the header": npy_of(FLOATS.numpy())[:40],
    "version 3": header(described(), version=b"\3\0"),
    "version 9": header(described(), version=b"\x09\0"),
    "header longer than the body": b"\x93NUMPY\1\0" + struct.pack("<H", 0xFFFF) + b"{}",
    "header that is long": header(described() + " " * 20_000),
    "header of 4 GiB": b"\x93NUMPY\2\0" + struct.pack("<I", 0xFFFFFFFF) + b"{" * 100,
    "header that is code": header("__import__('os').system('true')"),
    "header with a name": header(described("float32")),
    "header that is a list": header("[]"),
    "header that is deep": header("(" * 3000 + ")" * 3000),
    "header without a shape": header("{'descr': '<f4', 'fortran_order': False}"),
    "header with another key": header("{'descr':'<f4','fortran_order':False,'shape':(3,),'x':1}"),
    "objects": header(described("'|O'"), b"\x80\x04K\x01."),
    "records": header(described("[('a', '<f4'), ('b', '<f4')]")),
    "strings": header(described("'<U3'")),
    "dates": header(described("'<M8[s]'"), bytes(24)),
    "raw bytes": header(described("'|V4'")),
    "long doubles": header(described("'<f16'"), bytes(48)),
    "no data type": header(described("'x'")),
    "shape negative": header(described(shape="(-3,)")),
    "shape of two negatives": header(described(shape="(-3, -1)")),
    "shape 2^63": header(described(shape=f"({BIG},)")),
    "shape that wraps": header(described(shape=f"(3, {2**32}, {2**32})")),
    "shape that a zero hides": header(described(shape=f"(0, {2**62})"), b""),
    "shape of 33": header(described(shape=f"({'1, ' * 33})"), bytes(4)),
    "shape of fractions": header(described(shape="(3.0,)")),
    "shape a number": header(described(shape="3")),
    "order a number": header(described(fortran="2")),
    "too much data": header(described(), bytes(13)),
    "too little data": header(described(), bytes(11)),
    "no data": header(described(), b""),
    "bool of 2": header(described("'|b1'"), b"\0\1\2"),
    "a zip": b"PK\3\4" + bytes(100),
}


@pytest.mark.parametrize(
    ("sent", "body"),
    [(SAFE, body) for body in BAD_SAFETENSORS.values()] + [(NUMPY, b) for b in BAD_NPY.values()],
    ids=[*(f"safetensors: {n}" for n in BAD_SAFETENSORS), *(f"npy: {n}" for n in BAD_NPY)],
)
def test_hostile_bodies(ask: Ask, sent: str, body: bytes):
    response = ask("echo.pt", body, sent, sent)
    assert response.status == 400, response
    assert response.document["description"] == "Invalid Input JSON"
    assert len(response.body) < 1000
    assert b" at 0x" not in response.body
    good = ask("echo.pt", npy_of(FLOATS.numpy()), NUMPY, NUMPY)
    assert np.array_equal(array_in(good), FLOATS.numpy())


@pytest.mark.parametrize(
    ("model", "tensors", "problem"),
    [
        ("echo.pt", {"y": FLOATS}, "input `x`: Tensor is missing"),
        ("echo.pt", {"x": FLOATS, "y": FLOATS.clone()}, "input `y` is unknown"),
        ("str.pt", {"s": FLOATS}, "input `s`: expected str, got float32"),
        ("int.pt", {"n": FLOATS}, "input `n`: expected int, got float32"),
    ],
)
def test_tensors_that_do_not_fit(ask: Ask, model: str, tensors: dict[str, Any], problem: str):
    response = ask(model, safetensors.torch.save(tensors), SAFE)
    assert (response.status, problem in response.document["detail"]) == (400, True)


def test_the_library_raises_nothing_unexpected():
    """Whatever it raises of a body is an InvalidInput, as of random ones."""
    generator = np.random.default_rng(0)
    good = safetensors.torch.save({"x": FLOATS})
    for _ in range(2000):
        body = bytearray(good)
        for at in generator.integers(0, len(body), 3):
            body[at] = generator.integers(0, 256)
        with contextlib.suppress(InvalidInput):
            safetensors_form.read(body, ())

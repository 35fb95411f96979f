"""Binary bodies at /serve, on both servers: safetensors and .npy, in and out, and hostile ones."""

import contextlib
import http.client
import io
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.lib import format as npy

from tests.support.client import SECRETS, scalar, tensor
from tests.support.process import Process
from torch_serving.codecs import media_types
from torch_serving.codecs import safetensors as safetensors_form
from torch_serving.codecs.safetensors import SAFETENSORS
from torch_serving.errors import InvalidInput, NotAcceptable, UnsupportedContentType
from torch_serving.http.negotiation import request_media_type, response_media_type
from torch_serving.http.serve import endpoint

SAFE, NUMPY, JSON = "application/vnd.safetensors", "application/x-npy", "application/json"
FLOATS = torch.tensor([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]])


class Response(NamedTuple):
    status: int
    type: str
    body: bytes

    @property
    def document(self) -> Any:
        assert self.type == JSON
        return json.loads(self.body)


Ask = Callable[..., Response]


@pytest.fixture
def ask(server: Process) -> Iterator[Ask]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)

    def ask(model: str, body: bytes, sent: str = "", wanted: str = "") -> Response:
        headers = {"Content-Type": sent, "Accept": wanted}
        target = f"/serve?{urlencode({'servable_identifier': model})}"
        connection.request("POST", target, body, {k: v for k, v in headers.items() if v})
        with connection.getresponse() as response:
            content = response.read()
        for secret in SECRETS:
            assert secret.encode() not in content
        return Response(response.status, response.headers["content-type"], content)

    yield ask
    connection.close()


def npy_of(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def array_in(response: Response) -> np.ndarray:
    assert (response.status, response.type) == (200, NUMPY), response
    return np.load(io.BytesIO(response.body), allow_pickle=False)


def tensors_in(response: Response) -> dict[str, torch.Tensor]:
    assert (response.status, response.type) == (200, SAFE), response
    return safetensors.torch.load(response.body)


def test_a_tensor_for_each_argument_and_each_part_of_the_result(ask: Ask):
    body = safetensors.torch.save({"y": FLOATS, "x": FLOATS * 3})
    assert torch.equal(tensors_in(ask("two.pt", body, SAFE, SAFE))["output_0"], FLOATS * 2)
    body = safetensors.torch.save({"d.a": FLOATS, "d.b": FLOATS[0].clone()})
    answered = tensors_in(ask("tensors.pt", body, SAFE, SAFE))
    assert torch.equal(answered["a"], FLOATS)
    assert torch.equal(answered["b"], FLOATS[0])


@pytest.mark.parametrize(
    "dtype",
    [torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32,
     torch.int64, torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (0,), (2, 0)])
def test_every_data_type(ask: Ask, dtype: torch.dtype, shape: tuple[int, ...]):
    sent = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    body = safetensors.torch.save({"x": sent})
    answered = tensors_in(ask("echo.pt", body, SAFE, SAFE))["output_0"]
    assert (answered.dtype, answered.shape) == (dtype, sent.shape)
    assert torch.equal(answered.double(), sent.double())
    if dtype != torch.bfloat16:
        array = array_in(ask("echo.pt", npy_of(sent.numpy()), NUMPY, NUMPY))
        assert (array.dtype, array.shape) == (sent.numpy().dtype, sent.numpy().shape)
        assert np.array_equal(array, sent.numpy())


def test_numbers_are_tensors_of_one_element(ask: Ask):
    body = safetensors.torch.save({"x": FLOATS, "n": torch.tensor(5)})
    assert torch.equal(tensors_in(ask("default.pt", body, SAFE, SAFE))["output_0"], FLOATS * 5)
    body = safetensors.torch.save({"x": FLOATS})
    assert torch.equal(tensors_in(ask("default.pt", body, SAFE, SAFE))["output_0"], FLOATS * 2)


def test_forms_of_body_and_response_need_not_be_the_same(ask: Ask):
    body = safetensors.torch.save({"x": FLOATS})
    document = tensor([2, 3], FLOATS.flatten().tolist())
    assert ask("echo.pt", body, SAFE).document["result"] == document
    assert ask("echo.pt", body, SAFE, "application/json").document["result"] == document
    text = json.dumps([document]).encode()
    assert torch.equal(tensors_in(ask("echo.pt", text, JSON, SAFE))["output_0"], FLOATS)
    assert np.array_equal(array_in(ask("echo.pt", text, JSON, NUMPY)), FLOATS.numpy())
    assert np.array_equal(array_in(ask("echo.pt", body, SAFE, NUMPY)), FLOATS.numpy())


@pytest.mark.parametrize(
    "array",
    [
        FLOATS.numpy().T,
        np.asfortranarray(FLOATS.numpy()),
        FLOATS.numpy().astype(">f4"),
        FLOATS.numpy().astype(">i8"),
        FLOATS.numpy()[:, ::2],
        np.array(3.5),
        FLOATS.numpy().astype("complex64"),
    ],
)
def test_arrays_of_any_order(ask: Ask, array: np.ndarray):
    assert np.array_equal(array_in(ask("echo.pt", npy_of(array), NUMPY, NUMPY)), array)


def test_a_header_of_version_2(ask: Ask):
    buffer = io.BytesIO()
    npy.write_array(buffer, FLOATS.numpy(), version=(2, 0))
    response = ask("echo.pt", buffer.getvalue(), NUMPY, NUMPY)
    assert np.array_equal(array_in(response), FLOATS.numpy())


def test_a_model_that_writes_into_its_input(ask: Ask):
    for _ in range(2):
        response = ask("writing.pt", npy_of(FLOATS.numpy()), NUMPY, NUMPY)
        assert np.array_equal(array_in(response), FLOATS.numpy() + 1)


def test_results_that_share_memory_or_do_not_lie_row_by_row(ask: Ask):
    body = safetensors.torch.save({"x": FLOATS})
    for model, expected in (("transposed.pt", FLOATS.t()), ("strided.pt", FLOATS[::2])):
        assert torch.equal(tensors_in(ask(model, body, SAFE, SAFE))["output_0"], expected)
        assert np.array_equal(array_in(ask(model, body, SAFE, NUMPY)), expected.numpy())
    shared = {"a": FLOATS[0], "b": FLOATS[0], "c": FLOATS}
    answered = safetensors.torch.load(SAFETENSORS.write(shared))
    assert torch.equal(answered["c"], FLOATS)
    assert torch.equal(answered["a"], answered["b"])


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


def test_results_that_a_form_does_not_hold(ask: Ask):
    text = json.dumps([{"type": "string", "value": "a"}]).encode()
    assert ask("str.pt", text, JSON, SAFE).document["description"] == "Unsupported result"
    response = ask("str.pt", text, JSON, NUMPY)
    assert (response.status, response.document["description"]) == (406, "Not acceptable")
    body = safetensors.torch.save({"d.0": FLOATS, "d.1": FLOATS.clone()})
    assert ask("list.pt", body, SAFE, NUMPY).status == 406
    half = safetensors.torch.save({"x": FLOATS.bfloat16()})
    assert "no bfloat16" in ask("echo.pt", half, SAFE, NUMPY).document["detail"]
    response = ask("two.pt", npy_of(FLOATS.numpy()), NUMPY)
    assert "holds one tensor; the model takes x, y" in response.document["detail"]


def test_one_tensor_goes_to_the_argument_that_needs_one(ask: Ask):
    array = array_in(ask("default.pt", npy_of(FLOATS.numpy()), NUMPY, NUMPY))
    assert np.array_equal(array, 2 * FLOATS.numpy())
    response = ask("int.pt", npy_of(np.array(7)), NUMPY)
    assert response.document["result"] == scalar(7, "int64")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("*/*", None),
        ("application/json", None),
        ("text/html", None),
        ("", None),
        (SAFE, SAFE),
        ("Application/X-NPY", NUMPY),
        (f"{NUMPY};q=0.5, {SAFE}", SAFE),
        (f"{NUMPY}, {SAFE};q=0.5", NUMPY),
        (f"{JSON}, {SAFE};q=0.5", None),
        (f"{JSON};q=0.1, {SAFE};q=0.5", SAFE),
        (f"{SAFE};q=0", None),
        (f"{SAFE};q=x, */*", None),
        (f"{SAFE};v=1;q=0.2, {NUMPY};q=0.1", SAFE),
    ],
)
def test_what_a_response_may_be(header: str | None, expected: str | None):
    assert response_media_type(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("application/x-www-form-urlencoded", None),  # what curl says of any body
        ("text/plain", None),
        (SAFE, SAFE),
        ("application/x-npy; version=1", NUMPY),
    ],
)
def test_what_a_body_is(header: str | None, expected: str | None):
    assert request_media_type(header) == expected


def test_without_the_library(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(media_types, "library", lambda: None)
    with pytest.raises(UnsupportedContentType, match="extra `safetensors`"):
        request_media_type(SAFE)
    with pytest.raises(NotAcceptable, match="extra `safetensors`"):
        response_media_type(SAFE)
    assert response_media_type(f"{SAFE}, {NUMPY};q=0.5") == NUMPY
    assert response_media_type(f"{SAFE}, */*;q=0.1") is None


def test_the_library_raises_nothing_that_is_not_told():
    """Whatever it raises of a body is an InvalidInput, as of random ones."""
    generator = np.random.default_rng(0)
    good = safetensors.torch.save({"x": FLOATS})
    for _ in range(2000):
        body = bytearray(good)
        for at in generator.integers(0, len(body), 3):
            body[at] = generator.integers(0, 256)
        with contextlib.suppress(InvalidInput):
            safetensors_form.read(body, ())


def test_long_headers_are_not_remembered():
    endpoint.remembered.cache_clear()
    query = b"servable_identifier=m.pt"
    for number in range(10):
        long = f"{number}/{'a' * endpoint.MAX_HEAD_BYTES}".encode()
        assert endpoint.inference_request(query, long, b"*/*").content_type is None
        assert endpoint.inference_request(query, None, long + b", */*").accept is None
    assert endpoint.remembered.cache_info().currsize == 0
    for _ in range(2):
        assert endpoint.inference_request(query, NUMPY.encode(), None).content_type == NUMPY
    assert endpoint.remembered.cache_info().hits == 1

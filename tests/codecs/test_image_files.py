"""Image files as whole bodies: the same pixels as in JSON, in the form that the model takes."""

import base64
import json
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.loaded import method_of
from tests.support.pictures import PICTURE, Image, encoded, envelope
from tests.support.servables import SOURCES, scripted
from torch_serving.codecs.image_files import image_reader
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.json import images
from torch_serving.engine.batcher import ON
from torch_serving.engine.engine import Engine
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import (
    IncompatibleDtype,
    IncompatibleShape,
    InferenceFailed,
    InvalidInput,
    InvalidParameter,
    ServingError,
    UnsupportedContentType,
)
from torch_serving.http.negotiation import request_media_type
from torch_serving.model_config import DeclaredTensor, ModelConfig, WarmUp
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.servable import Method, ModelSource, Servable
from torch_serving.models.warmup import warm_up
from torch_serving.tensor_constraint import Dimension, TensorConstraint

ENGINE = Engine(1)
PNG = base64.b64decode(encoded(PICTURE))
ANY = Dimension()
MNIST = '{"x": {"type": "tensor", "data_type": "float32", "shape": [1, 1, 1, 1], "value": [0]}}'


def send(method: Method, body: bytes, header: str = "image/png") -> np.ndarray:
    response = ENGINE.run(CodecInvocation(method, image_reader(header), None), body)
    return array_in(response)


def array_in(response: Any) -> np.ndarray:
    result = json.loads(response)["result"]
    return np.array(result["value"], result["data_type"]).reshape(result["shape"])


def refusal(
    method: Method, body: bytes, error: type[ServingError], header: str = "image/png"
) -> str:
    with pytest.raises(error) as caught:
        send(method, body, header)
    return caught.value.detail


def model(name: str) -> Method:
    return method_of(scripted(*SOURCES[name]))


@pytest.fixture(scope="module")
def echo() -> Method:
    return model("echo.pt")


def declared(constraint: TensorConstraint, warmup: str = "") -> Method:
    """A model that gives back what it takes, of which its TOML file says something."""
    config = ModelConfig(
        input=(DeclaredTensor("m.toml", "", "x", constraint),) if constraint.is_declared else (),
        warmup=(WarmUp("m.toml", warmup.encode()),) if warmup else (),
    )
    program = TorchScriptProgram(scripted(*SOURCES["echo.pt"]))
    servable = Servable(program, torch.device("cpu"), config, ModelSource("m.pt"))
    warm_up(servable)
    return servable.main_method()


UNTURNED = Image.Exif()
UNTURNED[0x0112] = 6
DEEP = Image.fromarray(np.array([[0, 129, 30000, 65535]], np.uint16))
FILES = {
    "PNG": encoded(PICTURE),
    "JPEG": encoded(PICTURE, "JPEG"),
    "WebP": encoded(PICTURE, "WEBP"),
    "GIF": encoded(PICTURE, "GIF"),
    "BMP": encoded(PICTURE, "BMP"),
    "CMYK": encoded(PICTURE.convert("CMYK"), "JPEG"),
    "turned by the camera": encoded(PICTURE, "JPEG", exif=UNTURNED),
    "16 bits": encoded(DEEP),
}
MEMBERS: list[dict[str, Any]] = [
    {},
    {"data_type": "float32", "batch": True},
    {"data_type": "float16", "mode": "L"},
    {"layout": "HWC", "mode": "RGBA", "batch": False},
]


@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_as_the_same_image_in_json(echo: Method, name: str, members: dict[str, Any]):
    text = FILES[name]
    body = json.dumps({"x": envelope(text, **members)}).encode()
    expected = array_in(ENGINE.run(echo, body))
    header = "; ".join(["image/png", *(f"{k}={json.dumps(v)}" for k, v in members.items())])
    for kind in (bytes, bytearray):
        found = send(echo, kind(base64.b64decode(text)), header)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("constraint", "warmup", "header", "form"),
    [
        (TensorConstraint(), "", "", ("uint8", 3)),
        (TensorConstraint("float32"), "", "", ("float32", 3)),
        (TensorConstraint("float32", (ANY,) * 4), "", "", ("float32", 4)),
        (TensorConstraint("", (ANY,) * 4), "", "", ("uint8", 4)),
        (TensorConstraint(), MNIST, "", ("float32", 4)),
        (TensorConstraint("float32"), MNIST, "", ("float32", 4)),
        (TensorConstraint(), '{"x": [[0, 0], [0, 0]]}', "", ("uint8", 3)),
        (TensorConstraint(), MNIST, "; data_type=uint8", ("uint8", 4)),
        (TensorConstraint(), MNIST, "; batch=0", ("float32", 3)),
        (TensorConstraint(), "", "; Batch=1 ;data_type = float64;charset=utf-8;", ("float64", 4)),
    ],
)
def test_pixels_are_as_the_model_is_known_to_take_them(
    constraint: TensorConstraint, warmup: str, header: str, form: tuple[str, int]
):
    array = send(declared(constraint, warmup), PNG, f"image/png{header}")
    assert (array.dtype, array.ndim) == form


def test_what_is_declared_is_checked():
    method = declared(TensorConstraint("float32", (Dimension(1, 1), Dimension(1, 1), ANY, ANY)))
    detail = refusal(method, PNG, IncompatibleShape)
    assert detail.startswith("input `x`: expected shape [1, 1, -1, -1], got [1, 3, 4, 6]")
    assert send(method, PNG, "image/png; mode=L").shape == (1, 1, 4, 6)
    detail = refusal(method, PNG, IncompatibleDtype, "image/png; mode=L; data_type=uint8")
    assert detail == "input `x`: expected float32, got uint8"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two.pt", 'send JSON: {"x": {"type": "image", "value": "<its base64>"}, "y": {"type"'),
        ("list.pt", 'send JSON: {"d": [{"type": "image", "value": "<its base64>"}]}'),
        ("anything.pt", '"value": "<its base64>"}, "a": …}'),
        ("str.pt", "the method takes no image alone: it takes (s: str) -> str"),
        ("ints.pt", "the method takes no image alone: it takes (d: List[int])"),
    ],
)
def test_methods_that_take_something_else(name: str, words: str):
    assert words in refusal(model(name), PNG, InvalidInput)


@pytest.mark.parametrize("name", ["default.pt", "optional.pt"])
def test_other_arguments_take_their_defaults(name: str):
    assert send(model(name), PNG).shape == (3, 4, 6)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"x": [1]}', "the body is JSON: send it with the header Content-Type: application/json"),
        (b"iVBORw0KGgoAAAANSUhEUg", 'an image in base64: send {"type": "image", "value": "'),
        (b"II*\0" + bytes(20), "a TIFF image: convert it to PNG"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "a HEIC or AVIF image: convert it to JPEG or PNG"),
        (b'<svg width="1">', "an SVG image: convert it to PNG"),
        (b"\x93NUMPY", "with the header Content-Type: application/x-npy"),
        (b'--b\r\nContent-Type: image/png\r\n\r\n\x89PNG', "a form with an image"),
        (b"\x89PNG\x1a" + bytes(5000), "curl sends a file unchanged with --data-binary"),
        (b"nothing", "GIF, BMP"),
    ],
)  # fmt: skip
def test_bodies_that_are_no_image(echo: Method, body: bytes, words: str):
    detail = refusal(echo, body, InvalidInput)
    assert detail.startswith("expected an image of PNG, JPEG, WEBP, GIF, BMP")
    assert words in detail


@pytest.mark.parametrize("name", FILES)
def test_broken_files_are_refused_or_read(echo: Method, name: str):
    whole = base64.b64decode(FILES[name])
    random = np.random.default_rng(5)
    for length in (1, 10, 30, len(whole) // 2):
        refusal(echo, whole[:length], InvalidInput)
    for _ in range(50):
        data = bytearray(whole)
        for index in random.integers(0, len(data), 3):
            data[index] = random.integers(0, 256)
        try:
            send(echo, data)
        except InvalidInput as error:
            assert len(error.detail) < 200  # noqa: PT017


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("mode=BGR", "`mode` is one of L, RGB, RGBA, got `BGR`"),
        ("data_type=int64", "`data_type` is one of uint8, float16, float32, float64, got `int64`"),
        ("batch", "`batch` is one of true, 1, false, 0, got ``"),
        ("batch=1; batch=0", "`batch` was given twice"),
        ("size=224", "`size`: images are neither resized nor normalised here"),
        ("datatype=uint8", "did you mean `data_type`?"),
        ("q=1", "`q` is unknown; parameters of an image are data_type, batch, mode, layout"),
    ],
)
def test_wrong_parameters(parameters: str, words: str):
    for header in (f"image/png; {parameters}", f"Image/JPEG;{parameters}"):
        with pytest.raises(InvalidParameter) as caught:
            request_media_type(header)
        assert caught.value.detail.startswith("header `Content-Type`: ")
        assert words in caught.value.detail


def test_the_extra_is_missing(echo: Method, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "Image", None)
    detail = refusal(echo, PNG, UnsupportedContentType)
    assert "pip install 'torch-serving[image]'" in detail


def test_files_join_the_batches_of_other_requests():
    config = ModelConfig(batch=True)
    method = method_of(scripted("x: Tensor", "Tensor", "return x * 2"), config)
    image = CodecInvocation(method, image_reader("image/png; batch=1"), None)
    pixels = json.dumps({"x": envelope(encoded(PICTURE), batch=True)}).encode()
    ENGINE.run(method, pixels)  # validates batches
    assert method.batcher is not None
    assert method.batcher.state is ON
    jobs = [Job(image, PNG), Job(method, pixels), Job(image, PNG)]
    run_all(jobs)
    assert [job.is_shared for job in jobs] == [True] * 3
    first, second, third = (array_in(job.response) for job in jobs)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


class Floats(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, torch.ones(1, 3, 1, 1))


class Picky(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dim() == 4, "expected a batch"
        return x


@pytest.mark.parametrize(
    ("module", "error"), [(Floats(), IncompatibleDtype), (Picky(), InferenceFailed)]
)
def test_a_model_of_which_nothing_is_known_fails_with_what_else_to_send(
    module: torch.nn.Module, error: type[ServingError]
):
    method = method_of(torch.jit.script(module))
    detail = refusal(method, PNG, error)
    assert detail.count("; the image came as uint8 without a batch dimension") == 1
    header = detail.rpartition("`Content-Type: ")[2].partition("`")[0]
    assert send(method, PNG, header).shape[0] == 1
    assert "came as" not in refusal(method, PNG, error, "image/png; batch=false")

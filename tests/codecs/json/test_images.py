"""Images in requests: formats, modes, layouts, and what is no image."""

import base64
import io
import json
import struct
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.client import Client
from tests.support.pictures import PICTURE, PIXELS, encoded, envelope
from tests.support.process import Process
from torch_serving.codecs.json import images
from torch_serving.engine.engine import Engine
from torch_serving.errors import IncompatibleDtype, InvalidInput
from torch_serving.models.servable import Method

Image = pytest.importorskip("PIL.Image")

ENGINE = Engine(1)


def to_numpy(method: Method, body: Any) -> np.ndarray:
    result = json.loads(ENGINE.run(method, json.dumps(body).encode()))["result"]
    return np.array(result["value"], result["data_type"]).reshape(result["shape"])


def refusal(method: Method, body: Any, error: type[Exception] = InvalidInput) -> str:
    with pytest.raises(error) as caught:
        ENGINE.run(method, json.dumps(body).encode())
    return caught.value.detail


@pytest.mark.parametrize(
    ("format_", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})]
)
def test_formats_that_lose_nothing(echo: Method, format_: str, options: dict):
    array = to_numpy(echo, [envelope(encoded(PICTURE, format_, **options))])
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, PIXELS.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "start",
    ["data:image/png;base64,", "data:;base64,", "data:image/x-png;charset=utf-8;base64,"],
)
def test_data_urls_of_browsers_are_images(echo: Method, start: str):
    array = to_numpy(echo, {"x": envelope(start + encoded(PICTURE))})
    np.testing.assert_array_equal(array, PIXELS.transpose(2, 0, 1))


@pytest.mark.parametrize("format_", ["JPEG", "WEBP", "GIF"])
def test_formats_that_lose_something(echo: Method, format_: str):
    even = Image.new("RGB", (20, 10), (200, 30, 90))
    array = to_numpy(echo, envelope(encoded(even, format_)))
    assert array.shape == (3, 10, 20)
    assert np.abs(array.astype(int) - np.array([200, 30, 90])[:, None, None]).max() <= 4


def test_the_first_picture_of_an_animation(echo: Method):
    red, blue = (Image.new("RGB", (2, 2), color) for color in ("red", "blue"))
    text = encoded(red, "GIF", save_all=True, append_images=[blue])
    assert to_numpy(echo, envelope(text))[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("source", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_modes(echo: Method, source: str, mode: str):
    image = PICTURE.convert(source)
    format_, options = ("JPEG", {"quality": 100}) if source == "CMYK" else ("PNG", {})
    text = encoded(image, format_, **options)
    with Image.open(io.BytesIO(base64.b64decode(text))) as read:
        expected = np.array(read.convert(mode)).reshape(4, 6, len(mode))
    array = to_numpy(echo, envelope(text, mode=mode))
    np.testing.assert_array_equal(array, expected.transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("data_type", ["uint8", "float32"])
def test_grey_of_16_bits_is_scaled(echo: Method, mode: str, data_type: str):
    values = np.array([[0, 128, 129, 1000, 30000, 65278, 65535]], np.uint16)
    array = to_numpy(
        echo, envelope(encoded(Image.fromarray(values)), mode=mode, data_type=data_type)
    )
    scale = 1 if data_type == "uint8" else 255
    np.testing.assert_allclose(array[0] * scale, [[0, 0, 1, 4, 117, 254, 255]], atol=1e-4)


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_base64_may_come_in_lines(echo: Method, line_break: str):
    text = base64.encodebytes(base64.b64decode(encoded(PICTURE))).decode()
    array = to_numpy(echo, envelope(text.replace("\n", line_break)))
    np.testing.assert_array_equal(array, PIXELS.transpose(2, 0, 1))


def test_layouts_and_batch(echo: Method):
    text = encoded(PICTURE)
    channels_first = PIXELS.transpose(2, 0, 1)
    for members, expected in [
        ({"layout": "HWC"}, PIXELS),
        ({"layout": "CHW", "batch": False}, channels_first),
        ({"batch": True}, channels_first[np.newaxis]),
        ({"layout": "HWC", "batch": True, "mode": "RGB"}, PIXELS[np.newaxis]),
    ]:
        np.testing.assert_array_equal(to_numpy(echo, envelope(text, **members)), expected)
    assert to_numpy(echo, envelope(text, mode="L", layout="HWC")).shape == (4, 6, 1)


@pytest.mark.parametrize("data_type", ["float16", "float32", "float64"])
def test_floats_are_scaled(echo: Method, data_type: str):
    gray = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    array = to_numpy(echo, envelope(encoded(gray), mode="L", data_type=data_type))
    assert array.dtype == data_type
    expected = np.arange(256) / 255
    tolerance = {"float16": 1e-3, "float32": 1e-7, "float64": 0}[data_type]
    np.testing.assert_allclose(array.flatten(), expected, rtol=tolerance)
    assert (array.min(), array.max()) == (0, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_camera_is_applied(echo: Method, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = to_numpy(echo, envelope(encoded(PICTURE, "PNG", exif=exif), layout="HWC"))
    turned = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, -1),
        7: np.rot90(PIXELS, 2).transpose(1, 0, 2),
        8: np.rot90(PIXELS),
    }
    np.testing.assert_array_equal(array, turned[orientation])


def test_images_among_other_values(echo: Method):
    text = encoded(PICTURE)
    for body in ([envelope(text)], {"x": envelope(text)}):
        np.testing.assert_array_equal(to_numpy(echo, body), PIXELS.transpose(2, 0, 1))


FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP"]


@pytest.mark.parametrize("format_", FORMATS)
def test_truncated_images(echo: Method, format_: str):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8))
    whole = base64.b64decode(encoded(noise, format_))
    for length in (0, 1, 10, 30, len(whole) // 2, len(whole) * 9 // 10):
        text = base64.b64encode(whole[:length]).decode()
        assert refusal(echo, [envelope(text)]).startswith("/0/value: ")


@pytest.mark.parametrize("format_", FORMATS)
def test_broken_images_are_refused_or_read(echo: Method, format_: str):
    whole = base64.b64decode(encoded(PICTURE, format_))
    random = np.random.default_rng(5)
    for _ in range(150):
        data = bytearray(whole)
        for index in random.integers(0, len(data), 3):
            data[index] = random.integers(0, 256)
        body = json.dumps({"x": envelope(base64.b64encode(data).decode())}).encode()
        assert (complaint(echo, body) or "/x/value: ").startswith("/x/value: ")


def complaint(method: Method, body: bytes) -> str | None:
    try:
        ENGINE.run(method, body)
    except InvalidInput as error:
        return error.detail
    return None


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("", "/0/value: expected an image of PNG, JPEG, WEBP, GIF, BMP"),
        (base64.b64encode(b"no image at all").decode(), "/0/value: expected an image of"),
        ("=", "/0/value: expected base64"),
        ("AAA", "/0/value: expected base64"),
        ("AA AA", "/0/value: expected base64"),
        ("data:image/png;base64,AAAA", "/0/value: expected an image of"),
        ("data:image/png;base64,", "/0/value: expected an image of"),
        ("data:image/png,AAAA", "/0/value: expected base64"),
        ("é", "/0/value: expected base64"),
        (encoded(PICTURE, "TIFF"), "/0/value: expected an image of"),
        (encoded(PICTURE, "ICO", sizes=[(4, 4)]), "/0/value: expected an image of"),
        (encoded(PICTURE, "PPM"), "/0/value: expected an image of"),
        (1, "/0/value: expected a string"),
        (None, "/0/value: expected a string"),
        ([], "/0/value: expected a string"),
    ],
)
def test_what_is_no_image(echo: Method, value: object, detail: str):
    found = refusal(echo, [{"type": "image", "value": value}])
    assert found.startswith(detail)
    assert found.endswith("(argument `x`: Tensor)")


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"mode": "BGR"}, "`mode` of an image is one of L, RGB, RGBA, got 'BGR'"),
        ({"layout": "chw"}, "`layout` of an image is one of CHW, HWC, got 'chw'"),
        ({"data_type": "int8"}, "`data_type` of an image is one of uint8, float16"),
        ({"mode": 3}, "/0/mode: expected a string"),
        ({"layout": None}, "/0/layout: expected a string"),
        ({"batch": 1}, "/0/batch: expected true or false"),
        ({"batch": "true"}, "/0/batch: expected true or false"),
    ],
)
def test_wrong_members(echo: Method, members: dict, detail: str):
    assert detail in refusal(echo, [envelope(encoded(PICTURE), **members)])


def test_unknown_data_types(echo: Method):
    body = [envelope(encoded(PICTURE), data_type="uint4")]
    assert refusal(echo, body, IncompatibleDtype).startswith("/0/data_type: ")


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def bomb(width: int, height: int) -> str:
    """A PNG of a few bytes that says it is huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


@pytest.mark.parametrize(
    ("width", "height"), [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (64_000_001, 1), (8001, 8000)]
)
def test_huge_images_are_refused_before_they_are_decoded(echo: Method, width: int, height: int):
    tracemalloc.start()
    started_s = time.thread_time()
    detail = refusal(echo, [envelope(bomb(width, height))])
    processor_s = time.thread_time() - started_s
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "/0/value: " in detail
    assert processor_s < 1
    assert peak_bytes < 10_000_000
    if width < 2**31 - 1:
        assert f"the image has {width} x {height} pixels; the limit is 64000000" in detail


def test_over_http(uvicorn_server: Process, model_root: Path):
    with Client(uvicorn_server.url, secrets=[model_root.name]) as client:
        response = client.post("echo.pt", [envelope(encoded(PICTURE))])
        assert response.result["shape"] == [3, 4, 6]
        assert response.result["value"] == PIXELS.transpose(2, 0, 1).flatten().tolist()
        for text in (bomb(100_000, 100_000), "AAAA", "?"):
            response = client.post("echo.pt", [envelope(text)])
            assert (response.status, response.document["description"]) == (
                400,
                "Invalid Input JSON",
            )
            assert response.document["detail"].startswith("/0/value: ")


@pytest.mark.parametrize("data_type", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", ["CHW", "HWC"])
def test_floats_are_those_of_a_division_in_their_own_type(data_type: str, layout: str):
    pixels = images.decode_image(encoded(PICTURE), "RGB", layout, False, data_type)
    expected = PIXELS.astype(data_type) / np.dtype(data_type).type(255)
    assert pixels.dtype == data_type
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, expected if layout == "HWC" else expected.transpose(2, 0, 1))

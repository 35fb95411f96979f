"""Bodies that are no JSON, but something that clients often send: the error says what to send."""

import gzip
import io
import pickle
import zlib

import numpy as np
import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, read_json
from torch_serving.errors import IncompatibleDtype, InvalidJson

DECODER = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


def details(body: bytes) -> list[str]:
    """What `/serve` says of a body, and what other protocols say."""
    with pytest.raises(InvalidJson) as served:
        DECODER.decode(body)
    with pytest.raises(InvalidJson) as read:
        read_json(body).validate()
    return [served.value.detail, read.value.detail]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            "a JPEG image: send it with the header Content-Type: image/jpeg",
        ),
        (b"\x89PNG\r\n\x1a\n", "a PNG image: send it with the header Content-Type: image/png"),
        (b"GIF89a", "a GIF image: send it with the header Content-Type: image/gif"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "a WebP image: send it with the header Content-Type: image/webp"),
        (b"BM\x46\0\0\0\0\0\0\0", "a BMP image: send it with the header Content-Type: image/bmp"),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="cat.jpg"\r\n'
            b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0",
            "a form with an image (multipart/form-data, as of curl -F): send the image alone, with",
        ),
        (b"/9j/4AAQSkZJRgABAQ", "an image in base64: send"),
        (b"data:image/png;base64,iVBORw0", "the data URL of an image: send"),
        (npy(), "with the header Content-Type: application/x-npy"),
        (b"\x08" + bytes(7) + b'{"x":{}}', "with the header Content-Type: application/vnd.safe"),
        (pickle.dumps([1.0]), "a pickle of Python: send JSON, .npy or safetensors"),
        (b"PK\3\4" + bytes(20), "a ZIP archive, as .npz, .pt and .pt2 are: send JSON"),
    ],
)
def test_files_that_serve_takes_in_another_way(body: bytes, hint: str):
    served, read = details(body)
    assert hint in served
    assert read.endswith(": send JSON")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (gzip.compress(b"[1]", mtime=0), "with the header Content-Encoding: gzip"),
        (zlib.compress(b"[1]"), "with the header Content-Encoding: deflate"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "Content-Encoding: zstd"),
        ("[1]".encode("utf-16"), "UTF-16 with a byte order mark: send UTF-8"),
        ("[1]".encode("utf-16-be"), "UTF-16 or UTF-32: send UTF-8"),
        ("[1]".encode("utf-32-le"), "UTF-16 or UTF-32: send UTF-8"),
        (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n[]\r\n--b--', "multipart/form"),
        (b"x=%5B1%2C2%5D", "a form (application/x-www-form-urlencoded): send the JSON alone"),
        (b"[object Object]", "an object of JavaScript: send JSON.stringify("),
        (b"body.json", "the name of a file: curl sends what is in it with --data-binary @FILE"),
        (b"@./some folder/body.json\n", "the name of a file"),
        (b"C:\\data\\cat.jpg", "the name of a file"),
        (b"<html></html>", "HTML or XML: send JSON"),
        (b"{'x': [1]}", "strings stand in double quotes"),
        (b'{"x": [1, 2,]}', "no comma stands behind the last value"),
        (b'{"x": [1, 2],\n}', "no comma stands behind the last value"),
        (b'{"x": None}', "; write null"),
        (b'{"x": True}', "; write true"),
        (b'{"x": FALSE}', "; write false"),
        (b'{"x": undefined}', "; write null"),
        (b'{"x": [nan]}', '; write "NaN" in quotes'),
        (b'{"x": [-inf]}', '; write "-Infinity" in quotes'),
        (b'{"x": tensor([1.])}', "send the numbers alone, as tolist() gives them"),
        (b'{"x": [1, ..., 9]}', "all numbers must be written"),
        (b'{"x": [1] /* one */}', "JSON has no comments"),
        (b'{"x": [.5]}', "a digit stands on both sides of a point"),
        (b'{"x": [5.]}', "a digit stands on both sides of a point"),
        (b'{"x": [+5]}', "numbers have no plus sign"),
        (b'{"x": [05]}', "numbers have no leading zeros"),
        (b'{"x": "abc\ndef"}', r"a line break in a string is \n; base64 goes on one line"),
        ("{“x”: [1]}".encode(), 'straight quotes (") are needed'),
        (b'{"x": [1]', "; the body ends here"),
        (b'{"x": [1]}\n{"x": [2]}', "; a request has one document"),
    ],
)
def test_what_is_meant_by_text_that_is_no_json(body: bytes, hint: str):
    assert all(hint in detail for detail in details(body))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("[1, null]", '; NaN, which JSON.stringify makes null of, is the string "NaN"'),
        ('[{"0": 1, "1": 2}]', "; JSON.stringify makes that of a typed array: send Array.from("),
        ('["1"]', 'got the string "1" (argument'),
    ],
)
def test_what_javascript_makes_of_numbers(value: str, hint: str):
    with pytest.raises(IncompatibleDtype) as caught:
        DECODER.decode(b'{"x": %b}' % value.encode())
    assert hint in caught.value.detail


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_words_that_python_writes_stand_in_quotes(word: str):
    body = b'[{"type": "tensor", "value": [1.0, %b]}]' % word.encode()
    with pytest.raises(InvalidJson) as caught:
        DECODER.decode(body)
    assert caught.value.detail.endswith(f'; write "{word}" in quotes')
    read_json(body).validate()  # other protocols take the word


@pytest.mark.parametrize("body", [b"hello", b"[1 2]", b"--1", b'{"a" 1}', b"\x80", b" ", b"]"])
def test_nothing_is_guessed_of_other_text(body: bytes):
    assert not any("the body is a" in detail for detail in details(body))


def test_large_bodies_are_looked_at_from_both_ends_only():
    for body in (b"x" * 10_000_000, b"[" + b"1," * 1_000_000 + b"]", b"'" * 1_000_000):
        assert all(len(detail) < 200 for detail in details(body))

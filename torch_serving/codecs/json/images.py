"""Encoded images -> pixels. Needs Pillow: the extra `image`."""

import base64
import binascii
import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torch_serving.codecs.decoding import DECODING, TakesLong

try:
    from PIL import Image, ImageOps
except ImportError:
    Image = None  # type: ignore[assignment]
else:
    Image.MAX_IMAGE_PIXELS = None  # its limit warns first; ours refuses

Encoded = str | bytes | bytearray  # base64, or the file itself
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MODES = ("L", "RGB", "RGBA")
LAYOUTS = ("CHW", "HWC")
DATA_TYPES = ("uint8", "float16", "float32", "float64")
DATA_URL = re.compile(r"data:[\w/.+-]*(;[\w.=-]+)*;base64,")  # as browsers give it
MAX_PIXELS = 64_000_000  # a camera's largest pictures; four bytes each while they are converted
NO_EXTRA = (
    "this server takes no images: it was installed without the extra `image`; "
    "pip install 'torch-serving[image]'"
)


def is_installed() -> bool:
    """Whether the extra is."""
    return Image is not None


def decode_image(
    encoded: Encoded, mode: str, layout: str, batch: bool, data_type: str
) -> NDArray[Any]:
    """Decode a PNG, JPEG, WebP, GIF (its first picture) or BMP, or the base64 or data URL of one.

    The result has channels, height and width in the order of `layout`, after a leading 1 with
    `batch`. Floats are scaled to 0…1. The orientation that a camera noted is applied. Raises
    ValueError, with what is wrong, for what is not such an image or too large, and TakesLong on the
    event loop: a small body may hold many pixels.
    """
    if DECODING.must_be_short:
        raise TakesLong
    if Image is None:
        raise ValueError(NO_EXTRA)
    for what, value, known in (
        ("mode", mode, MODES),
        ("layout", layout, LAYOUTS),
        ("data_type", data_type, DATA_TYPES),
    ):
        if value not in known:
            raise ValueError(
                f"`{what}` of an image is one of {', '.join(known)}, got {value!r:.40}"
            )
    image = open_image(encoded)
    if image.mode.startswith("I"):
        image = eight_bits(image)
    pixels = np.array(image if image.mode == mode else image.convert(mode))
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if layout == "CHW":
        pixels = pixels.transpose(2, 0, 1)
    if data_type == "uint8":
        pixels = np.ascontiguousarray(pixels)
    else:  # in one pass, without the GIL
        scaled = np.empty(pixels.shape, data_type)
        pixels = np.divide(pixels, 255, out=scaled, dtype=data_type, casting="unsafe")
    return pixels[np.newaxis] if batch else pixels


def eight_bits(image: "Image.Image") -> "Image.Image":
    """Scale a grey image of 16 bits; Pillow's own conversion cuts what is above 255."""
    return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))


def file_in(text: str) -> bytes:
    """The file that base64 or a data URL holds."""
    url = DATA_URL.match(text, 0, 200)
    try:
        text = text[url.end() :] if url else text
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"expected base64 ({error})") from None


def open_image(encoded: Encoded) -> "Image.Image":
    data = file_in(encoded) if isinstance(encoded, str) else encoded
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception:
        raise ValueError(f"expected an image of {', '.join(FORMATS)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(
            f"the image has {image.width} x {image.height} pixels; the limit is {MAX_PIXELS}"
        )
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # decoders raise many kinds of errors for broken data
        raise ValueError("the image is broken") from None
    return image

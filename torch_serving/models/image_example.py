"""How an image file is sent to a method: found by trying, as other examples are."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import torch

from torch_serving.codecs.image_files import image_input, image_reader
from torch_serving.codecs.invocation import CodecInvocation
from torch_serving.codecs.json.images import DATA_TYPES, MODES, is_installed
from torch_serving.engine.job import Job
from torch_serving.engine.steps import run_all
from torch_serving.errors import ServingError
from torch_serving.models.plain_example import text_of
from torch_serving.models.servable import Method

MODE_OF = {len(mode): mode for mode in MODES}  # by channels


class ImageExample(NamedTuple):
    """The header of a body, and width and height of images where not every size works."""

    content_type: str
    size: tuple[int, int] | None


def image_example(method: Method, example: dict[str, Any]) -> ImageExample | None:
    """Return how an image works in the place of an example's tensor, if it does."""
    pixels = pixels_in(method, example) if is_installed() else None
    if pixels is None:
        return None
    height, width = pixels.shape[-2:]
    for content_type in content_types(pixels):
        if takes(method, content_type, height, width):
            any_size = takes(method, content_type, height + 1, width + 2)
            return ImageExample(content_type, None if any_size else (width, height))
    return None


def pixels_in(method: Method, example: dict[str, Any]) -> torch.Tensor | None:
    """The first tensor of an example that could be an image, if one is all that is needed."""
    with suppress(ServingError):
        image_input(method)
        for value in method.decode(text_of(example).encode()):
            tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            if isinstance(tensor, torch.Tensor) and is_like_pixels(tensor):
                return tensor
    return None


def is_like_pixels(tensor: torch.Tensor) -> bool:
    return tensor.dim() in (3, 4) and tensor.size(-3) in MODE_OF and tensor.numel() > 0


def content_types(pixels: torch.Tensor) -> Iterator[str]:
    """Headers to try: without a data type and a batch dimension, then with those of the example."""
    mode = MODE_OF[pixels.size(-3)]
    plain = "image/jpeg" if mode == "RGB" else f"image/jpeg; mode={mode}"
    yield plain
    data_type = str(pixels.dtype).removeprefix("torch.")
    if data_type in DATA_TYPES:
        yield f"{plain}; data_type={data_type}; batch={str(pixels.dim() == 4).lower()}"


def takes(method: Method, content_type: str, height: int, width: int) -> bool:
    invocation = CodecInvocation(method, image_reader(content_type), None)
    job = Job(invocation, black_png(height, width))
    run_all((job,))
    return job.error is None


def black_png(height: int, width: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 3 * width) * height), 1)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum

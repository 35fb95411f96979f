"""A small picture, and images in requests. Tests that import it are skipped without Pillow."""

import base64
import io
from typing import Any

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

PIXELS = np.random.default_rng(3).integers(0, 256, (4, 6, 3), np.uint8)  # height, width, channels
PICTURE = Image.fromarray(PIXELS)


def encoded(image: Any, format_: str = "PNG", **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return base64.b64encode(file.getvalue()).decode()


def envelope(value: str, **members: Any) -> dict[str, Any]:
    return {"type": "image", "value": value, **members}

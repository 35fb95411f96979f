"""Images as arguments: the server decodes them."""

import base64
import io
import sys
from pathlib import Path
from typing import Any


class Image:
    """An image for a tensor argument: a path, the bytes of a file, or an image of Pillow.

    `mode` is RGB (the default), RGBA or L; `layout` CHW (the default) or HWC; `batch` adds a
    leading dimension of one; `data_type` is uint8 (the default), or a float type, scaled to 0…1.
    Images of Pillow are sent as PNG, without loss; files as they are.
    """

    def __init__(
        self,
        source: Any,
        *,
        mode: str | None = None,
        layout: str | None = None,
        batch: bool = False,
        data_type: str | None = None,
    ) -> None:
        self._source = source
        options = {"mode": mode, "layout": layout, "batch": batch or None, "data_type": data_type}
        self._options = {key: value for key, value in options.items() if value is not None}

    def envelope(self) -> dict[str, Any]:
        """Its JSON. Raises OSError for a file that can't be read."""
        encoded = base64.b64encode(self._bytes()).decode()
        return {"type": "image", "value": encoded, **self._options}

    def _bytes(self) -> bytes:
        if isinstance(self._source, str | Path):
            return Path(self._source).read_bytes()
        if isinstance(self._source, bytes | bytearray | memoryview):
            return bytes(self._source)
        file = io.BytesIO()
        self._source.save(file, "PNG", compress_level=1)
        return file.getvalue()


def is_picture(value: Any) -> bool:
    """Whether a value is Pillow's, which is never imported for that."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)

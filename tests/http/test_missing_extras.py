"""What a client reads where an extra is not installed: its name, and how the operator gets it."""

import pytest

from torch_serving.codecs.json import images
from torch_serving.errors import UnsupportedMedia
from torch_serving.http import content_coding


def test_zstd(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(content_coding, "zstandard", lambda: None)
    with pytest.raises(UnsupportedMedia) as caught:
        content_coding.request_coding("zstd")
    assert "gzip, deflate; zstd needs the extra: pip install" in caught.value.detail
    assert "'torch-serving[zstd]'" in caught.value.detail
    with pytest.raises(UnsupportedMedia) as caught:
        content_coding.request_coding("br")
    assert "pip" not in caught.value.detail


def test_images(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(images, "Image", None)
    with pytest.raises(ValueError, match=r"pip install 'torch-serving\[image\]'"):
        images.decode_image("", "RGB", "NCHW", True, "uint8")

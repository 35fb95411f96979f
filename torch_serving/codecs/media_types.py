"""Which codec a media type has."""

from torch_serving.codecs.interfaces import Codec
from torch_serving.codecs.npy import NPY
from torch_serving.codecs.safetensors import SAFETENSORS, library
from torch_serving.errors import UnsupportedContentType

CODECS = {codec.media_type: codec for codec in (SAFETENSORS, NPY)}
# Requests and responses of the Open Inference Protocol, which has no registered media type.
OIP = "application/vnd.oip"


def is_available(media_type: str) -> bool:
    """Whether the library of a codec is installed."""
    return media_type != SAFETENSORS.media_type or library() is not None


def codec_of(media_type: str | None) -> Codec | None:
    """Return a codec; None is JSON, which a method decodes and encodes itself.

    Raises UnsupportedContentType for a media type that is unknown, or whose library is missing.
    """
    if media_type is None:
        return None
    codec = CODECS.get(media_type)
    if codec is None:
        raise UnsupportedContentType(f"{media_type[:100]} has no codec here")
    if not is_available(media_type):
        raise UnsupportedContentType(f"{media_type} needs the extra `safetensors` here")
    return codec

"""Which codec a media type has."""

from torch_serving.codecs.image_files import ImageReader, image_reader, is_image
from torch_serving.codecs.interfaces import Codec
from torch_serving.codecs.npy import NPY
from torch_serving.codecs.safetensors import SAFETENSORS
from torch_serving.errors import UnsupportedContentType

CODECS = {codec.media_type: codec for codec in (SAFETENSORS, NPY)}
# Requests and responses of the Open Inference Protocol, which has no registered media type.
OIP = "application/vnd.oip"
# Results as tensors that keep their nesting.
NESTED = "application/vnd.safetensors; profile=nested"
NESTED_SAFETENSORS = SAFETENSORS._replace(media_type=NESTED, nests=True)
# JSON without envelopes, of responses alone: requests may be plain anyway.
PLAIN = "application/json; profile=plain"


def reader_of(media_type: str | None) -> Codec | ImageReader | None:
    """Return what reads a body; None is JSON. Raises as `codec_of`, and InvalidParameter."""
    if media_type is not None and is_image(media_type):
        return image_reader(media_type)
    return codec_of(media_type)


def codec_of(media_type: str | None) -> Codec | None:
    """Return a codec; None is JSON, which a method decodes and encodes itself.

    Raises UnsupportedContentType for a media type that is unknown.
    """
    if media_type is None:
        return None
    codec = NESTED_SAFETENSORS if media_type == NESTED else CODECS.get(media_type)
    if codec is None:
        raise UnsupportedContentType(f"{media_type[:100]} has no codec here")
    return codec

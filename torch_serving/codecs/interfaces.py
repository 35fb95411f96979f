"""What codecs share: the types of bodies and headers, and what they ask of a method."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from torch_serving.codecs.json._decoder import Argument
from torch_serving.codecs.signature import Signature
from torch_serving.codecs.tensor_tree.specs import Leaf
from torch_serving.errors import ServingError

Body = bytes | bytearray
Headers = tuple[tuple[str, str], ...]
JSON_HEADERS: Headers = (("content-type", "application/json"),)


class Response(NamedTuple):
    """A body with the headers that describe it; names are in lower case."""

    headers: Headers
    body: bytes


Encoded = bytes | Response  # bytes alone: with the constant headers of the invocation


class Codec(NamedTuple):
    """One media type of bodies that hold named tensors: `read(body, arguments)`, `write(tensors)`.

    JSON is none of them: a method decodes and encodes it itself. `nests`: results keep their
    nesting.
    """

    media_type: str
    read: Callable[[Body, Sequence[Argument]], dict[str, Leaf]]
    write: Callable[[dict[str, Leaf]], bytes]
    nests: bool = False


class PixelForm(NamedTuple):
    """What pixels of an image become: a data type, and whether there is a leading 1."""

    data_type: str
    batch: bool


class MethodInfo(Protocol):
    """A method of a loaded model, as codecs see it.

    `batcher`, `device_method`, `inline` and `counters` are the engine's; a codec hands them on.
    """

    signature: Signature
    check: Callable[[Sequence[Any]], None] | None  # of arguments that must go together
    model: str
    platform: str  # of the kind of its file, in metadata
    device: torch.device
    weights_dtype: torch.dtype | None
    batcher: Any
    device_method: Any
    pixels: PixelForm | None  # of its warm-up request
    counters: Any
    headers: Headers

    def decode(self, body: Body, /) -> list[Any]: ...
    def encode(self, outputs: Any, /) -> Encoded: ...
    def encode_plain(self, outputs: Any, /) -> Encoded:
        """Encode as JSON without envelopes."""

    def to_envelope(self, value: Any, /) -> dict[str, Any] | None:
        """Return the envelope of a value that only a backend knows, None for others."""

    def run(self, inputs: list[Any], /) -> Any: ...
    def translate(self, error: Exception, /) -> ServingError: ...
    def make_enum(self, type_name: str, member: str, /) -> Any:
        """Return a member of an enumeration in the signature."""

    def inline_for(self, media_types: str, /) -> Any:
        """The inline policy of requests in other media types than JSON."""

"""Requests to a method whose bodies or responses have another form than enveloped JSON."""

import functools
from typing import Any

from torch_serving.codecs.image_files import ImageReader, decode_file, run_file, translate_file
from torch_serving.codecs.interfaces import (
    JSON_HEADERS,
    Body,
    Codec,
    Encoded,
    Headers,
    MethodInfo,
)
from torch_serving.codecs.media_types import PLAIN
from torch_serving.codecs.nested import encode_nested
from torch_serving.codecs.tensor_tree.flatten import flatten
from torch_serving.codecs.tensor_tree.unflatten import unflatten

PLAIN_HEADERS: Headers = (("content-type", PLAIN),)


class CodecInvocation:
    """A request that one codec decodes and another encodes; None is the method's own JSON.

    With `plain`, JSON is written without envelopes.

    It joins the batches of all other requests to the method. Its inline policy is that of its media
    types: how large the short bodies of one media type are says nothing of another.
    """

    def __init__(
        self,
        method: MethodInfo,
        reader: Codec | ImageReader | None,
        writer: Codec | None,
        plain: bool = False,
    ) -> None:
        answer = PLAIN if plain else writer and writer.media_type
        media_types = f"{reader and reader.media_type} {answer}"
        self.model = method.model
        self.device = method.device
        self.batcher = method.batcher
        self.device_method = method.device_method
        self.inline = method.inline_for(media_types)
        self.counters = method.counters
        self.headers: Headers = PLAIN_HEADERS if plain else JSON_HEADERS
        self.run = method.run
        self.translate = method.translate
        # no bound methods of its own: such a cycle would keep an evicted model in memory
        self.decode = method.decode
        self.encode = method.encode_plain if plain else method.encode
        if isinstance(reader, ImageReader):
            self.decode = functools.partial(decode_image, reader, method)
            self.run = functools.partial(run_file, reader, method)
            self.translate = functools.partial(translate_file, reader, method)
        elif reader is not None:
            self.decode = functools.partial(decode, reader, method)
        if writer is not None:
            self.headers = (("content-type", writer.media_type),)
            self.encode = functools.partial(encode, writer, method)


def decode(codec: Codec, method: MethodInfo, body: Body) -> list[Any]:
    arguments = method.signature.arguments
    return checked(method, unflatten(arguments, codec.read(body, arguments)))


def decode_image(reader: ImageReader, method: MethodInfo, body: Body) -> list[Any]:
    return checked(method, decode_file(reader, method, body))


def checked(method: MethodInfo, values: list[Any]) -> list[Any]:
    if method.check is not None:
        method.check(values)
    return values


def encode(codec: Codec, method: MethodInfo, outputs: Any) -> Encoded:
    if codec.nests:
        return encode_nested(method, outputs)
    return codec.write(flatten(outputs, method.signature.result))

"""The datatype BYTES: strings, each after its length, and the nested or flat strings of JSON."""

import struct

from torch_serving.codecs.decoding import VALUES_BYTES, VALUES_PER_BODY
from torch_serving.codecs.json._decoder import Value
from torch_serving.errors import BodyTooLarge, IncompatibleDtype, IncompatibleShape

LENGTH = struct.Struct("<I")
STRING_BYTES = 128  # of a short one, in Python and in TorchScript


def read_byte_strings(data: memoryview, count: int, name: str) -> list[str]:
    """Read a buffer that holds exactly `count` strings. Raises IncompatibleShape."""
    if count * LENGTH.size > len(data):
        raise wrong_length(name, count)
    if count * STRING_BYTES > VALUES_BYTES + VALUES_PER_BODY * len(data):
        raise BodyTooLarge(
            f"input `{name}`: {count} strings take more memory than those of one request may"
        )
    strings, at = [], 0
    for _ in range(count):
        start = at + LENGTH.size
        if start > len(data):
            raise wrong_length(name, count)
        at = start + LENGTH.unpack_from(data, at)[0]
        if at > len(data):
            raise wrong_length(name, count)
        strings.append(decode_utf8(data[start:at], name))
    if at != len(data):
        raise wrong_length(name, count)
    return strings


def decode_utf8(data: memoryview, name: str) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise IncompatibleDtype(f"input `{name}`: a string is not UTF-8") from None


def wrong_length(name: str, count: int) -> IncompatibleShape:
    return IncompatibleShape(
        f"input `{name}`: its lengths don't divide the buffer into {count} strings"
    )


def write_byte_strings(strings: list[str]) -> bytes:
    parts = []
    for string in strings:
        data = string.encode("utf-8", "replace")
        parts += [LENGTH.pack(len(data)), data]
    return b"".join(parts)


def strings_in(value: Value) -> list[str]:
    """All strings of nested arrays, in order."""
    if value.kind != "array":
        return [value.string()]
    return [string for element in value.elements() for string in strings_in(element)]

"""Content codings (RFC 9110, 8.4.1).

Requests may have gzip, deflate or zstd, responses gzip or deflate.
"""

import io
import zlib
from typing import Any

from torch_serving.codecs.interfaces import Body
from torch_serving.errors import InvalidEncoding, UnsupportedMedia
from torch_serving.http.negotiation import quality_values
from torch_serving.http.request_body import check_length

GZIP, ZLIB, RAW = 31, 15, -15  # zlib's names for formats
CODINGS = ("gzip", "deflate", "zstd")
RESPONSE_CODINGS = ("gzip", "deflate")
FAST, SMALLEST = 1, 9  # levels; higher ones than 1 take long and gain little on numbers
MAX_WINDOW = 1 << 27  # of zstd: what its own command line takes at most
CHUNK_BYTES = 1 << 20
PACKED_BYTES = 1 << 16  # that are decompressed at a time


def request_coding(content_encoding: str | None) -> str:
    """The coding of a body, or "". Raises UnsupportedMedia for one that is not supported."""
    if content_encoding is None:
        return ""
    coding = content_encoding.strip().lower().removeprefix("x-")
    if coding in ("", "identity"):
        return ""
    if coding not in CODINGS or (coding == "zstd" and zstandard() is None):
        known = [each for each in CODINGS if each != "zstd" or zstandard() is not None]
        hint = (
            "; zstd needs the extra: pip install 'torch-serving[zstd]'" if coding == "zstd" else ""
        )
        raise UnsupportedMedia(
            f"got content encoding `{coding[:40]}`; known here are {', '.join(known)}{hint}"
        )
    return coding


def decompress(body: Body, coding: str, limit_bytes: int) -> bytearray:
    """Undo a coding, into memory that tensors may take. Decompression stops at the limit.

    Raises InvalidEncoding, or BodyTooLarge. Takes long for a large body: not on a loop.
    """
    try:
        if coding == "zstd":
            result = decompress_zstd(body, limit_bytes)
        else:
            result = decompress_zlib(
                body, GZIP if coding == "gzip" else zlib_format(body), limit_bytes
            )
    except (zlib.error, EOFError) as error:
        raise InvalidEncoding(f"the body is not {coding}: {error}") from None
    check_length(len(result), limit_bytes)
    return result


def response_coding(accept_encoding: str | None) -> str:
    """The coding of a response that a client prefers: gzip, deflate, or ""."""
    values = quality_values(accept_encoding or "")
    liked = [coding for coding in RESPONSE_CODINGS if values.get(coding, 0) > 0]
    return max(liked, key=values.__getitem__, default="")


def compress(body: bytes, coding: str, level: int = FAST) -> bytes:
    """Compress a response. Takes long for a large one: not on a loop."""
    deflater = zlib.compressobj(level, wbits=GZIP if coding == "gzip" else ZLIB)
    return deflater.compress(body) + deflater.flush()


def zlib_format(body: Body) -> int:
    """`deflate` means zlib's format; some clients leave its head out, so look for it."""
    has_head = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return ZLIB if has_head else RAW


def decompress_zlib(body: Body, format_: int, limit_bytes: int) -> bytearray:
    result = bytearray()
    rest = memoryview(body)
    while rest and len(result) <= limit_bytes:  # gzip may have several members
        rest = rest[inflate(rest, format_, result, limit_bytes) :]
    return result


def inflate(packed: memoryview, format_: int, result: bytearray, limit_bytes: int) -> int:
    """Append one member to the result, piece by piece; return how long it is when packed."""
    inflater = zlib.decompressobj(format_)
    length = 0
    while not inflater.eof and len(result) <= limit_bytes:
        piece: bytes | memoryview = inflater.unconsumed_tail
        if not piece:
            piece = packed[length : length + PACKED_BYTES]
            length += len(piece)
        part = inflater.decompress(piece, min(CHUNK_BYTES, limit_bytes + 1 - len(result)))
        if not piece and not part:
            raise EOFError("it ends in the middle")
        result += part
    return length - len(inflater.unused_data)


def decompress_zstd(body: Body, limit_bytes: int) -> bytearray:
    library = zstandard()
    try:
        reader = library.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
            io.BytesIO(body), read_across_frames=True
        )
        result = bytearray()
        while len(result) <= limit_bytes and (part := reader.read(CHUNK_BYTES)):
            result += part
    except library.ZstdError as error:
        raise EOFError(str(error)) from None
    return result


def zstandard() -> Any:
    """The library of the extra `zstd`, if it is installed."""
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard

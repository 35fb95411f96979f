"""What must hold for the body of a request, however it is received, and its codings undone."""

import io
import zlib
from typing import Any

from torch_serving.errors import (
    BodyTooLarge,
    EmptyBody,
    InvalidEncoding,
    InvalidJson,
    UnsupportedMedia,
)
from torch_serving.http.preferences import weights_of

Body = bytes | bytearray

GZIP, ZLIB, RAW = 31, 15, -15  # zlib's names for formats
CODINGS = ("gzip", "deflate", "zstd")
PACKING_LEVEL = 1  # higher ones take several times as long and gain little on numbers
MAX_WINDOW = 1 << 27  # of zstd: what its own command line takes at most
CHUNK_BYTES = 1 << 20


def coding_of(header: str | None) -> str:
    """The coding that a header names, or "". Raises UnsupportedMedia for one that we don't undo."""
    coding = (header or "").strip().lower().removeprefix("x-")
    if coding in ("", "identity"):
        return ""
    if coding not in CODINGS or (coding == "zstd" and zstandard() is None):
        known = [each for each in CODINGS if each != "zstd" or zstandard() is not None]
        raise UnsupportedMedia(
            f"got content encoding `{coding[:40]}`; known here are {', '.join(known)}"
        )
    return coding


def check_length(length: int | None, limit_bytes: int) -> None:
    """Raise BodyTooLarge for a body that is, or says that it is, over the limit."""
    if length is not None and length > limit_bytes:
        raise BodyTooLarge(f"the body has {length} bytes or more; the limit is {limit_bytes}")


def check_whole(body: Body, length: int | None) -> None:
    """Raise EmptyBody, or InvalidJson for a body that is shorter than it says."""
    if not body:
        raise EmptyBody("the request has no body; expected a JSON document")
    if length is not None and len(body) != length:
        raise InvalidJson(f"byte {len(body)}: the body ends here, {length} bytes were announced")


def decoded(body: Body, coding: str, limit_bytes: int) -> bytes:
    """Undo a coding; no more than the limit is ever unpacked.

    Raises InvalidEncoding, or BodyTooLarge. Takes long for a large body: no work for a loop.
    """
    try:
        if coding == "zstd":
            result = unpack_zstd(body, limit_bytes)
        else:
            result = unpack_zlib(body, GZIP if coding == "gzip" else zlib_format(body), limit_bytes)
    except (zlib.error, EOFError) as error:
        raise InvalidEncoding(f"the body is not {coding}: {error}") from None
    check_length(len(result), limit_bytes)
    return result


def coding_for(accept: str | None) -> str:
    """The coding of an answer that a client asks for: gzip, deflate, or ""."""
    weights = weights_of(accept or "")
    liked = [coding for coding in ("gzip", "deflate") if weights.get(coding, 0) > 0]
    return max(liked, key=weights.__getitem__, default="")


def encoded(body: bytes, coding: str) -> bytes:
    """Pack an answer, fast rather than small. Takes long for a large one: no work for a loop."""
    deflater = zlib.compressobj(PACKING_LEVEL, wbits=GZIP if coding == "gzip" else ZLIB)
    return deflater.compress(body) + deflater.flush()


def zlib_format(body: Body) -> int:
    """`deflate` means zlib's format, but some send the bare data; the two start differently."""
    has_head = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return ZLIB if has_head else RAW


def unpack_zlib(body: Body, format_: int, limit_bytes: int) -> bytes:
    parts, length = [], 0
    rest: Body = body
    while rest and length <= limit_bytes:  # gzip may have several members
        inflater = zlib.decompressobj(format_)
        parts.append(inflater.decompress(rest, limit_bytes + 1 - length))
        length += len(parts[-1])
        if length <= limit_bytes and not inflater.eof:
            raise EOFError("it ends in the middle")
        rest = inflater.unused_data
    return b"".join(parts)


def unpack_zstd(body: Body, limit_bytes: int) -> bytes:
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
    return bytes(result)


def zstandard() -> Any:
    """The library of the extra `zstd`, if it is installed."""
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard

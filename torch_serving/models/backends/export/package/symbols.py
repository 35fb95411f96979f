"""Symbols of a package's library that would keep it loaded for ever, made harmless in a copy."""

import mmap
import re
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torch_serving.errors import InvalidServable

HEADER = np.dtype(
    [("before", "V40"), ("sections", "<u8"), ("flags", "V10"), ("entry", "<u2"), ("count", "<u2")]
)
SECTION = np.dtype(
    [
        *(("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8")),
        *(("offset", "<u8"), ("size", "<u8"), ("link", "<u4"), ("info", "<u4")),
        *(("alignment", "<u8"), ("entry", "<u8")),
    ]
)
SYMBOL = np.dtype(
    [
        *(("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2")),
        *(("value", "<u8"), ("size", "<u8")),
    ]
)
FUNCTIONS = re.compile(r"(?:aoti_torch|GOMP)_\w+")  # torch's, and those of threads
ELF64 = b"\x7fELF\x02\x01"  # of little-endian machines
SYMBOLS, VERSIONS = 11, 0x6FFFFFFF  # kinds of sections
GLOBAL, UNIQUE = 1, 10  # bindings of symbols
UNVERSIONED = 1
DAMAGED = "the library in its package is damaged"
CHECK_INPUTS, OWN_CHECK_INPUTS = b"AOTI_RUNTIME_CHECK_INPUTS\0", b"aoti_runtime_check_inputs\0"
# What libraries get under other names; ext/aoti/stand_ins.h says why.
THREAD_EXIT, OWN_THREAD_EXIT = b"__cxa_thread_atexit\0", b"aoti_thread_atexit\0"
ERRORS, OWN_ERRORS = b"_ZSt4cerr\0", b"aoti_cerr\0"
LAST_ERROR = b"\0AOTInductorGetLastError\0"  # how a library tells its errors otherwise


def let_unload(library: memoryview) -> frozenset[str]:
    """Change the bytes of a library so that it can be unloaded. Return the functions it calls.

    Whatever the first library has of unique symbols would serve all others in the process, and so
    stay. Raises InvalidServable for what is no library.
    """
    if bytes(library[:6]) != ELF64:
        raise InvalidServable("the library in its package is no library of 64 bits")
    with suppress(ValueError, IndexError):
        return change(np.frombuffer(library, np.uint8))
    # not from that error: its frames hold on to the library's memory
    raise InvalidServable(DAMAGED)


def let_check_inputs(library: mmap.mmap | bytearray) -> None:
    """Let a library read another variable of the environment, which has it check its inputs."""
    start = library.find(CHECK_INPUTS)
    while start >= 0:
        library[start : start + len(OWN_CHECK_INPUTS)] = OWN_CHECK_INPUTS
        start = library.find(CHECK_INPUTS, start + 1)


def change(data: NDArray[np.uint8]) -> frozenset[str]:
    calls: set[str] = set()
    header = table(data, 0, 1, HEADER)[0]
    sections = table(data, int(header["sections"]), int(header["count"]), SECTION)
    for section in sections[sections["type"] == SYMBOLS]:
        symbols = entries(data, section, SYMBOL)
        unique = symbols["info"] >> 4 == UNIQUE
        symbols["info"][unique] = (symbols["info"][unique] & 0xF) | GLOBAL << 4
        names = entries(data, sections[section["link"]], np.dtype("u1"))
        text = names.tobytes()
        calls |= set(FUNCTIONS.findall(text.decode("ascii", "replace")))
        renamed = rename(symbols["name"], names, THREAD_EXIT, OWN_THREAD_EXIT)
        if LAST_ERROR in text:
            renamed += rename(symbols["name"], names, ERRORS, OWN_ERRORS)
        for versions in sections[sections["type"] == VERSIONS]:
            entries(data, versions, np.dtype("<u2"))[renamed] = UNVERSIONED
    return frozenset(calls)


def rename(starts: NDArray[Any], names: NDArray[Any], name: bytes, other: bytes) -> list[int]:
    """Give a symbol another name, which is no longer. Returns its index."""
    start = names.tobytes().find(b"\0" + name) + 1
    if not start:
        return []
    users = np.flatnonzero((starts >= start) & (starts < start + len(name)))
    if len(users) != 1 or starts[users[0]] != start:  # another name is the end of this one
        return []
    names[start : start + len(other)] = np.frombuffer(other, np.uint8)
    return [int(users[0])]


def entries(data: NDArray[np.uint8], section: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int(section["size"]) // dtype.itemsize
    return table(data, int(section["offset"]), count, dtype)


def table(data: NDArray[np.uint8], offset: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Entries that lie in `data`. Raises ValueError for those that do not."""
    part = data[offset : offset + count * dtype.itemsize]
    if len(part) < count * dtype.itemsize:
        raise ValueError
    return part.view(dtype)

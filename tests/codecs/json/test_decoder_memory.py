import ctypes
import gc
import os
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, read_json
from torch_serving.codecs.oip.byte_strings import read_byte_strings
from torch_serving.errors import BodyTooLarge, ClientError, IncompatibleShape

TENSORS = Decoder([Argument("x", TypeSpec("tensor", "Tensor"))], lambda array: array)

STATUS = Path("/proc/self/status")
MALLOC_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", int)  # glibc's

needs_proc = pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK)
    or "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="needs Linux, and an allocator that gives memory back",
)


def status_bytes(name):
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def resident_growth(call):
    """By how many bytes the process has grown at most while `call` ran."""
    MALLOC_TRIM(0)  # memory that was freed before and not given back would hide growth
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = status_bytes("VmRSS")
    call()
    return status_bytes("VmHWM") - before


def refuse(body, error):
    with pytest.raises(error):
        TENSORS.decode(body)


@pytest.mark.parametrize(
    "value",
    [
        b"[[0]" + b",[0]" * 999 + b"]" + b",[]" * 9_999,
        b"[[0" + b",0" * 999 + b"]" + b",[]" * 999 + b"]" + b",[]" * 999,
        b"[[[[[[[[[[[[[0" + b"],[],[],[],[],[],[],[],[],[],[]" * 13,
    ],
    ids=["wide", "three levels", "thirteen levels"],
)
def test_the_first_elements_imply_no_size(value):
    """Were the rest like the first, these few kilobytes would hold 10⁷, 10⁹ and 10¹³ numbers."""
    tracemalloc.start()
    try:
        refuse(b'{"type":"tensor","value":[%b]}' % value, IncompatibleShape)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", ["[1000000000]", "[16777216,16777216,1024]", "[2,500000000]"])
def test_memory_is_taken_for_numbers_that_are_there(shape):
    tracemalloc.start()
    try:
        refuse(b'{"type":"tensor","value":[1],"shape":%b}' % shape.encode(), IncompatibleShape)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@needs_proc
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000_000,
        b'{"a":' * 2_000_000,
        b"{" + b",".join(b'"%d":0' % index for index in range(1_000_000)) + b"}",
        b'{"type":"tensor","value":[' + b"1" * 10_000_000 + b"]}",
        b'{"type":"tensor","value":[0.' + b"1" * 10_000_000 + b"x]}",
        b'{"type":"tensor","value":"' + b"x" * 20_000_000 + b'"}',
        b'{"type":"tensor","value":"' + b"\\n" * 10_000_000 + b'"}',
        b'{"type":"tensor","%b":1}' % (b"x" * 20_000_000),
        b"{" + b'"k":0,' * 3_000_000 + b'"k":0}',
    ],
    ids=[
        "levels",
        "object levels",
        "members",
        "digits",
        "bad digits",
        "string",
        "escaped string",
        "key",
        "same key",
    ],
)
def test_hostile_bodies_take_little_memory(body):
    limit = 3 * len(body)
    assert resident_growth(lambda: refuse(body, ClientError)) < limit


@needs_proc
@pytest.mark.parametrize(
    "value",
    [
        b"[1" + b",1" * 10_000_000 + b"]",
        b"[[]" + b",[]" * 7_000_000 + b"]",
        b"[[1]" + b",[1]" * 5_000_000 + b"]",
        b"[[[]]" + b",[[]]" * 4_000_000 + b"]",
    ],
    ids=["numbers", "empty arrays", "arrays of one", "two levels"],
)
def test_short_tokens_take_little_memory(value):
    """Beside the body itself: half of them all is that of the numbers, which have four bytes."""
    body = b'{"type":"tensor","value":%b}' % value
    assert resident_growth(lambda: TENSORS.decode(body)) < 2.3 * len(body)


@needs_proc
@pytest.mark.parametrize(
    "value",
    [
        b"[" + b"1," * 10_000_000 + b"[1]]",
        b"[" + b"[],1," * 4_000_000 + b"1]",
        b"[" + b"{}," * 7_000_000 + b"1]",
        b"[" + b'{"":1},' * 3_000_000 + b"1]",
        b"[" + b"[" * 60 * 160_000 + b"]",
        b"[" + (b"[" * 60 + b"]" * 60 + b",") * 160_000 + b"1]",
        b"[" + (b'{"":' * 60 + b"1" + b"}" * 60 + b",") * 60_000 + b"1]",
        b"[" + b"1 " * 10_000_000 + b"]",
        b"[" + b'"' * 20_000_000 + b"]",
    ],
    ids=[
        "numbers and an array",
        "arrays and numbers",
        "empty objects",
        "objects",
        "too many levels",
        "many levels",
        "many levels of objects",
        "no commas",
        "quotes",
    ],
)
def test_short_tokens_that_are_refused_take_little_memory(value):
    body = b'{"type":"tensor","value":%b}' % value
    assert resident_growth(lambda: refuse(body, ClientError)) < 2.3 * len(body)


@needs_proc
def test_memory_of_large_bodies_is_given_back():
    body = b'{"type":"tensor","value":[' + b"1," * 10_000_000 + b"1]}"
    MALLOC_TRIM(0)
    before = status_bytes("VmRSS")
    TENSORS.decode(body)
    MALLOC_TRIM(0)
    assert status_bytes("VmRSS") - before < len(body) / 2  # its index alone is twice as large


@needs_proc
def test_decoding_again_and_again_takes_no_more_memory():
    numbers = b"0.125," * 5000 + b"1"
    bodies = [
        b'{"type":"tensor","value":[' + numbers + b"]}",
        b'[{"shape":[5001],"type":"tensor","value":[' + numbers + b'],"data_type":"float64"}]',
        b'{"type":"tensor","value":[' + numbers + b",1e99]}",
        b'{"type":"tensor","value":[' + numbers + b'],"shape":[3]}',
        b'{"type":"tensor","value":[' + numbers + b",01]}",
        b'{"type":"tensor","value":[' + numbers + b'],"x":1,"x":1}',
        b'{"type":"tensor","value":[[' + numbers + b"],[" + numbers + b",1]]}",
        b'{"type":"string","value":[' + numbers + b"]}",
        b'{"type":"tensor","\\u0078":"' + b"\\n" * 5000 + b'","value":[1]}',
        b"[" * 1000,
    ]

    def round_():
        for body in bodies:
            with suppress(ClientError):
                TENSORS.decode(body)

    def growth() -> tuple[int, int]:
        gc.collect()
        blocks, resident = sys.getallocatedblocks(), status_bytes("VmRSS")
        for _ in range(2000):
            round_()
        gc.collect()
        return sys.getallocatedblocks() - blocks, status_bytes("VmRSS") - resident

    for _ in range(20):
        round_()
    blocks, resident = zip(*(growth() for _ in range(3)), strict=True)
    # other tests of the process may still take memory once; a leak takes it each time
    assert min(blocks) < 200  # a leak of one object a body would be 20,000
    assert min(resident) < 4_000_000  # one body a round would be 60 MB


TENSOR, INT, STR = (TypeSpec(kind, kind) for kind in ("tensor", "int", "str"))


def list_of(*parts: TypeSpec) -> TypeSpec:
    return TypeSpec("list", "List", *parts)


LISTS = {
    "List[Tensor]": (list_of(TENSOR), b"[%b]" % b",".join([b"1"] * (1 << 20))),
    "List[int]": (list_of(INT), b"[%b]" % b",".join([b"1"] * (3 << 20))),
    "List[str]": (list_of(STR), b"[%b]" % b",".join([b'""'] * (1 << 20))),
    "List[List[int]]": (list_of(list_of(INT)), b"[%b]" % b",".join([b"[1]"] * (1 << 20))),
    "List[Dict[str, int]]": (
        list_of(TypeSpec("dict", "Dict[str, int]", STR, INT)),
        b"[%b]" % b",".join([b'{"a":1}'] * (1 << 19)),
    ),
    "Optional[List[Tuple[int, int]]]": (
        TypeSpec("optional", "Optional", list_of(TypeSpec("tuple", "Tuple", INT, INT))),
        b"[%b]" % b",".join([b"[1,2]"] * (1 << 19)),
    ),
    "Union[List[str], List[Tensor]]": (
        TypeSpec("union", "Union", list_of(STR), list_of(TENSOR)),
        b"[%b]" % b",".join([b"1"] * (1 << 20)),
    ),
}


@pytest.mark.parametrize("around", [b'{"xs":%b}', b"%b", b"[%b]"], ids=["named", "bare", "listed"])
@pytest.mark.parametrize("name", LISTS)
def test_many_small_values_are_refused(name: str, around: bytes):
    spec, value = LISTS[name]
    decoder = Decoder([Argument("xs", spec)], lambda array: array)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match=r": \d+ values take more memory"):
            decoder.decode(around % value)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert decoder.decode(around % b"[]")  # nothing is left of it


@pytest.mark.parametrize(
    ("spec", "element", "count"),
    [
        (list_of(INT), b"1", 1_000_000),
        (list_of(STR), b'"word"', 500_000),
        (list_of(list_of(INT)), b"[1,2,3,4]", 100_000),
    ],
)
def test_fewer_are_not(spec: TypeSpec, element: bytes, count: int):
    decoder = Decoder([Argument("xs", spec)], lambda array: array)
    for around in (b'{"xs":[%b]}', b"[%b]", b"[[%b]]"):
        [values] = decoder.decode(around % b",".join([element] * count))
        assert len(values) == count


def test_many_elements_of_other_protocols_are_refused():
    value = read_json(b"[%b]" % b",".join([b'""'] * (1 << 20)))
    with pytest.raises(BodyTooLarge, match="values take more memory"):
        value.elements()
    with pytest.raises(BodyTooLarge, match="1048576 strings take more memory"):
        read_byte_strings(memoryview(bytes(4 << 20)), 1 << 20, "x")

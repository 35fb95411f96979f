"""safetensors bodies against the reference implementation, and whose memory they lie in."""

import json
import struct
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from torch_serving.codecs.safetensors import DATA_TYPES, OF_TENSOR, read, remembered, write
from torch_serving.errors import InvalidInput, UnsupportedResult

ENTRY = '"dtype":"F32","shape":[3],"data_offsets":[0,12]'
GOOD = f'{{"x":{{{ENTRY}}}}}'


def body_of(header: str | bytes, data: bytes = bytes(12)) -> bytearray:
    text = header.encode() if isinstance(header, str) else header
    return bytearray(struct.pack("<Q", len(text)) + text + data)


def described(dtype: str = "F32", shape: Any = (3,), offsets: Any = (0, 12)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def assert_same(found: dict[str, Any], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert bits_of(found[name]) == bits_of(tensor), name


def bits_of(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@st.composite
def trees(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Tensors of any bits, some without elements, some that do not lie row by row."""
    names = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda n: n != "__metadata__")
    tree = {}
    for name in draw(st.lists(names, min_size=1, max_size=6, unique=True)):
        dtype = draw(st.sampled_from([dtype for dtype in OF_TENSOR if is_read_by_both(dtype)]))
        shape = draw(st.lists(st.integers(0, 4), max_size=4))
        size = torch.Size(shape).numel() * dtype.itemsize
        bits = torch.tensor(list(draw(st.binary(min_size=size, max_size=size))), dtype=torch.uint8)
        tensor = (bits % 2 if dtype == torch.bool else bits).view(dtype).reshape(shape)
        tree[name] = tensor.transpose(0, -1) if draw(st.booleans()) and shape else tensor
    return tree


def is_read_by_both(dtype: torch.dtype) -> bool:
    return dtype != getattr(torch, "float8_e8m0fnu", None)  # theirs only writes it


@given(tree=trees())
def test_what_the_library_writes_is_read(tree: dict[str, torch.Tensor]):
    contiguous = {name: tensor.contiguous() for name, tensor in tree.items()}
    written = safetensors.torch.save(contiguous, {"format": "pt"})
    assert_same(read(bytearray(written), ()), contiguous)
    assert_same(read(written, ()), contiguous)


@given(tree=trees())
def test_what_is_written_is_read_by_the_library(tree: dict[str, torch.Tensor]):
    written = write(tree)
    assert_same(safetensors.torch.load(written), tree)
    assert_same(read(bytearray(written), ()), tree)


@given(tree=trees(), places=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=3))
def test_nothing_is_read_that_the_library_refuses(
    tree: dict[str, torch.Tensor], places: list[tuple[int, int]]
):
    body = bytearray(write(tree))
    for at, value in places:
        body[at % len(body)] = value
    try:
        found = read(body, ())
    except InvalidInput:
        return
    assert_same(found, safetensors.torch.load(bytes(body)))


@pytest.mark.parametrize("data_type", DATA_TYPES.values(), ids=DATA_TYPES)
def test_every_data_type_goes_both_ways(data_type: Any):
    tensor = torch.arange(6).view(2, 3).to(data_type.tensor)
    assert_same(read(bytearray(write({"x": tensor})), ()), {"x": tensor})


REFUSED_BY_BOTH = {
    "shorter than a length": bytearray(7),
    "header of 0 bytes": body_of("", b""),
    "header over 100 MB": bytearray(struct.pack("<Q", 100_000_001)) + bytes(100),
    "header beyond the body": bytearray(struct.pack("<Q", 64)) + b"{}",
    "header of 2^64 - 1": bytearray(struct.pack("<Q", 2**64 - 1)) + b"{}",
    "no JSON": body_of("x"),
    "text behind": body_of(GOOD + "x"),
    "NUL behind": body_of(GOOD + "\0"),
    "byte order mark": body_of("\ufeff" + GOOD),
    "not UTF-8": body_of(b'{"\xff":1}'),
    "lone surrogate": body_of(GOOD.replace("x", "\\ud800")),
    "control character": body_of(GOOD.replace("x", "\1")),
    "nested too deep": body_of(f'{{"x":{{{ENTRY},"z":{"[" * 500}{"]" * 500}}}}}'),
    "null": body_of("null"),
    "array": body_of("[]"),
    "tensor of null": body_of('{"x":null}'),
    "data type twice": body_of(f'{{"x":{{{ENTRY},"dtype":"F32"}}}}'),
    "metadata twice": body_of(f'{{"__metadata__":{{}},"__metadata__":{{}},"x":{{{ENTRY}}}}}'),
    "metadata of numbers": body_of(f'{{"__metadata__":{{"a":1}},"x":{{{ENTRY}}}}}'),
    "metadata as array": body_of(f'{{"__metadata__":[],"x":{{{ENTRY}}}}}'),
    "tensor called metadata": body_of(f'{{"__metadata__":{{{ENTRY}}}}}'),
    "no tensor for data": body_of("{}"),
    "without shape": body_of('{"x":{"dtype":"F32","data_offsets":[0,12]}}'),
    "without data type": body_of('{"x":{"shape":[3],"data_offsets":[0,12]}}'),
    "without offsets": body_of('{"x":{"dtype":"F32","shape":[3]}}'),
    "data type in lower case": body_of(GOOD.replace("F32", "f32")),
    "data type as number": body_of(GOOD.replace('"F32"', "32")),
    "four bits": body_of(json.dumps({"x": described("F4", (24,))})),
    "six bits": body_of(json.dumps({"x": described("F6_E2M3", (16,))})),
    "shape as number": body_of(GOOD.replace("[3]", "3")),
    "shape nested": body_of(GOOD.replace("[3]", "[[3]]")),
    "shape of strings": body_of(GOOD.replace("[3]", '["3"]')),
    "shape of booleans": body_of(GOOD.replace("[3]", "[3,true]")),
    "shape of fractions": body_of(GOOD.replace("[3]", "[3.0]")),
    "shape with exponent": body_of(GOOD.replace("[3]", "[3e0]")),
    "shape with leading zero": body_of(GOOD.replace("[3]", "[03]")),
    "shape negative": body_of(GOOD.replace("[3]", "[-3]")),
    "shape of two negatives": body_of(GOOD.replace("[3]", "[-3,-1]")),
    "shape that wraps": body_of(GOOD.replace("[3]", f"[3,{2**32},{2**32}]")),
    "shape that wraps in bytes": body_of(GOOD.replace("[3]", f"[{2**62 + 3}]")),
    "shape over 64 bits": body_of(GOOD.replace("[3]", f"[{2**64 + 3}]")),
    "shape that a zero hides": body_of(
        json.dumps({"x": described(shape=(2**40, 2**40, 0), offsets=(0, 0))}), b""
    ),
    "shape of another size": body_of(GOOD.replace("[3]", "[4]")),
    "data type of another size": body_of(GOOD.replace("F32", "F64")),
    "offsets negative": body_of(GOOD.replace("[0,12]", "[-12,0]")),
    "offsets backwards": body_of(GOOD.replace("[0,12]", "[12,0]")),
    "offsets beyond": body_of(GOOD.replace("[0,12]", "[12,24]")),
    "offsets over 64 bits": body_of(GOOD.replace("[0,12]", f"[{2**64},{2**64 + 12}]")),
    "offsets of fractions": body_of(GOOD.replace("[0,12]", "[0.0,12.0]")),
    "offsets of strings": body_of(GOOD.replace("[0,12]", '["0","12"]')),
    "offsets of one": body_of(GOOD.replace("[0,12]", "[12]")),
    "offsets of three": body_of(GOOD.replace("[0,12]", "[0,12,12]")),
    "offsets as number": body_of(GOOD.replace("[0,12]", "12")),
    "offsets nested": body_of(GOOD.replace("[0,12]", "[[0],[12]]")),
    "offsets nested once": body_of(GOOD.replace("[0,12]", "[[0,12]]")),
    "two tensors of one place": body_of(json.dumps({"x": described(), "y": described()})),
    "two that overlap": body_of(
        json.dumps({"x": described(), "y": described(shape=(2,), offsets=(8, 16))}), bytes(16)
    ),
    "a hole between": body_of(
        json.dumps({"x": described(), "y": described(shape=(1,), offsets=(16, 20))}), bytes(20)
    ),
    "a hole before": body_of(GOOD.replace("[0,12]", "[4,16]"), bytes(16)),
    "data behind": body_of(GOOD, bytes(13)),
    "data missing": body_of(GOOD, bytes(11)),
    "no elements in the middle of another": body_of(
        json.dumps({"x": described(), "y": described(shape=(0,), offsets=(4, 4))})
    ),
}


@pytest.mark.parametrize("body", REFUSED_BY_BOTH.values(), ids=REFUSED_BY_BOTH)
def test_hostile_headers_are_refused_by_both(body: bytearray):
    with pytest.raises((safetensors.SafetensorError, KeyError, TypeError, RuntimeError)):
        safetensors.torch.load(bytes(body))
    for _ in range(2):  # a bad header is not remembered as a good one
        with pytest.raises(InvalidInput, match="the body is not safetensors: ") as caught:
            read(body, ())
        assert len(caught.value.detail) < 500


REFUSED_HERE = {
    "tensor twice": body_of(f'{{"x":{{{ENTRY}}},"x":{{{ENTRY}}}}}'),
    "tensor as array": body_of('{"x":["F32",[3],[0,12]]}'),
    "71 dimensions": body_of(GOOD.replace("[3]", f"[{'1,' * 70}3]")),
    "1025 tensors": body_of(
        json.dumps({f"{i}": described(shape=(0,), offsets=(0, 0)) for i in range(1025)}), b""
    ),
}


@pytest.mark.parametrize("body", REFUSED_HERE.values(), ids=REFUSED_HERE)
def test_headers_that_are_not_in_the_format_though_the_library_reads_them(body: bytearray):
    safetensors.torch.load(bytes(body))
    with pytest.raises(InvalidInput, match="not safetensors"):
        read(body, ())


@pytest.mark.parametrize(
    "header",
    [
        f" {GOOD}\n ",
        GOOD.replace("x", "\\u0078"),
        f'{{"__metadata__":null,"x":{{{ENTRY}}}}}',
        f'{{"__metadata__":{{"format":"pt"}},"x":{{{ENTRY}}}}}',
        f'{{"x":{{{ENTRY},"unknown":[1.5,{{}}]}}}}',
        f'{{"x":{{{ENTRY}}},"after":{{"dtype":"I64","shape":[2,0],"data_offsets":[12,12]}}}}',
        f'{{"x":{{{ENTRY}}},"before":{{"dtype":"I64","shape":[0],"data_offsets":[0,0]}}}}',
        '{"y":{"dtype":"F32","shape":[],"data_offsets":[8,12]},'
        '"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        '{"y":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},'
        '"x":{"dtype":"F64","shape":[1],"data_offsets":[4,12]}}',
    ],
)
def test_headers_that_both_read(header: str):
    body = body_of(header, struct.pack("<3f", 1.5, -2, 0.25))
    assert_same(read(body, ()), safetensors.torch.load(bytes(body)))


def test_bools_of_other_bytes_are_refused():
    body = body_of(json.dumps({"x": described("BOOL", (3,), (0, 3))}), b"\0\1\2")
    with pytest.raises(InvalidInput, match="input `x`: a bool is neither 0 nor 1"):
        read(body, ())


@pytest.mark.parametrize("padding", range(8))
def test_tensors_lie_in_a_body_that_is_writable_and_aligned(padding: int):
    body = body_of(GOOD + " " * (-len(GOOD) % 8 + padding), struct.pack("<3f", 1, 2, 3))
    tensor: Any = read(body, ())["x"]
    torch.add(tensor, 1, out=tensor)
    changed = struct.unpack("<3f", body[-12:])
    assert changed == ((2, 3, 4) if padding % 4 == 0 else (1, 2, 3))
    assert tensor.tolist() == [2, 3, 4]


def test_a_body_that_is_not_writable_is_copied():
    body = bytes(body_of(GOOD, struct.pack("<3f", 1, 2, 3)))
    tensor: Any = read(body, ())["x"]
    torch.add(tensor, 1, out=tensor)
    assert read(body, ())["x"].tolist() == [1, 2, 3]


def test_only_short_headers_are_remembered():
    remembered.cache_clear()
    for number in range(10):
        read(body_of(f'{{"{number}{"a" * 1024}":{{{ENTRY}}}}}'), ())
    assert remembered.cache_info().currsize == 0
    for number in range(1000):
        read(body_of(f'{{"{number}":{{{ENTRY}}}}}'), ())
    assert remembered.cache_info().currsize == 256


def test_tensors_of_a_remembered_header_are_those_of_their_own_body():
    for value in (1.0, 2.0):
        assert (
            read(body_of(GOOD, struct.pack("<3f", *[value] * 3)), ())["x"].tolist() == [value] * 3
        )
        assert (
            read(bytearray(write({"y": torch.full((2,), value)})), ())["y"].tolist() == [value] * 2
        )
    with pytest.raises(InvalidInput, match="describes 12 bytes, 16 follow it"):
        read(body_of(GOOD, bytes(16)), ())


def test_larger_elements_stand_first_so_that_all_are_aligned():
    tree = {"a": torch.ones(3, dtype=torch.bool), "b": torch.ones(1, dtype=torch.float64)}
    written = bytearray(write(tree))
    found: Any = read(written, ())
    found["b"][0] = 5
    assert read(written, ())["b"].tolist() == [5]


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ({"x": torch.ones(2, dtype=torch.complex128)}, "no data type torch.complex128"),
        ({"x": torch.ones(2).to_sparse()}, "result `x`: safetensors holds dense tensors only"),
        ({"__metadata__": torch.ones(2)}, "result `__metadata__`: safetensors keeps this name"),
    ],
)
def test_results_that_the_format_lacks(tree: dict[str, torch.Tensor], problem: str):
    with pytest.raises(UnsupportedResult, match=problem):
        write(tree)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3, requires_grad=True),
        torch.ones(2, dtype=torch.bfloat16, requires_grad=True),
        torch.tensor([1 + 2j], dtype=torch.complex64).conj(),
        torch.ones(3).expand(2, 3),
    ],
)
def test_results_that_are_more_than_memory(tensor: torch.Tensor):
    assert torch.equal(safetensors.torch.load(write({"x": tensor}))["x"], tensor.detach())


def test_too_many_tensors_are_refused_by_the_header():
    header = json.dumps({f"x{n}": described(offsets=(12 * n, 12 * n + 12)) for n in range(1100)})
    with pytest.raises(InvalidInput, match="1100 tensors; the limit is 1024"):
        read(body_of(header, bytes(12 * 1100)), ())

"""Bodies of the Open Inference Protocol, whole and damaged: read or refused, and nothing else."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.oip import entry
from torch_serving.codecs.oip.datatypes import DATATYPES, NAMES
from torch_serving.codecs.oip.request import read_request
from torch_serving.errors import ClientError

SIZES = st.integers(-2, 40) | st.sampled_from([2**31, 2**32, 2**59, 2**62, 2**63, 2**64, -(2**63)])
ODD = st.none() | st.booleans() | SIZES | st.floats() | st.text(max_size=3)
JSON = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def damaged(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Now and then something else instead."""
    return st.integers(0, 15).flatmap(lambda dice: JSON if dice == 0 else good)


ENTRIES = st.builds(
    entry,
    damaged(st.sampled_from(["x", "y", "s"])),
    st.lists(damaged(SIZES), max_size=4),
    damaged(st.sampled_from([*NAMES, "FP8"])),
    parameters=damaged(st.fixed_dictionaries({"binary_data_size": damaged(SIZES)})),
) | st.builds(
    entry,
    st.sampled_from(["x", "y"]),
    st.just([3]),
    st.sampled_from(NAMES),
    data=damaged(st.lists(damaged(st.integers(0, 1)), max_size=4)),
)
REQUESTS = damaged(
    st.fixed_dictionaries(
        {"inputs": damaged(st.lists(damaged(ENTRIES), max_size=3))},
        optional={
            "id": damaged(st.text()),
            "parameters": damaged(st.dictionaries(st.text(max_size=3), JSON, max_size=2)),
            "outputs": damaged(st.lists(damaged(st.fixed_dictionaries({"name": st.text()})))),
        },
    )
)


@given(REQUESTS, st.binary(max_size=64), st.integers(-3, 3), st.booleans())
def test_anything_is_read_or_refused(request: Any, buffer: bytes, off: int, accepts_strings: bool):
    text = json.dumps(request).encode()
    with suppress(ClientError):
        read_request(text + buffer, max(0, len(text) + off), accepts_strings)


@given(
    st.sampled_from(sorted(DATATYPES)),
    st.lists(st.integers(0, 4), max_size=4),
    st.data(),
    st.booleans(),
)
def test_what_is_whole_is_read(datatype: str, shape: list[int], data: st.DataObject, mutable: bool):
    kind = DATATYPES[datatype]
    count = int(np.prod(shape, dtype=int))
    elements = st.binary(min_size=count * kind.array.itemsize, max_size=count * kind.array.itemsize)
    buffer = data.draw(elements)
    if datatype == "BOOL":
        buffer = bytes(byte & 1 for byte in buffer)
    described = entry("x", shape, datatype, parameters={"binary_data_size": len(buffer)})
    text = json.dumps({"inputs": [described]}).encode()
    body = text + buffer
    tensor = read_request(bytearray(body) if mutable else body, len(text)).inputs["x"]
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.dtype, list(tensor.shape)) == (kind.tensor, shape)
    assert tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes() == buffer
    if mutable or count == 0:
        return
    tensor.zero_()  # a model may: the body is somebody else's
    assert body == text + buffer

"""The encoder keeps no reference to what it wrote."""

import gc
import sys
import weakref
from contextlib import suppress

import numpy as np
import pytest

from tests.support.encoding import Pair, encode
from torch_serving.errors import UnsupportedResult


def test_nothing_is_kept_of_what_was_written():
    class Tensor(np.ndarray):
        pass

    tensor = np.arange(9).view(Tensor)
    gone = weakref.ref(tensor)
    encode([tensor])
    with pytest.raises(UnsupportedResult):
        encode([tensor, b""])
    del tensor
    assert gone() is None


def test_encoding_again_and_again_keeps_nothing():
    good = [np.arange(5000), {"k": (1, 0.5, "word", None, True)}, {1j: 2j}, {1: {}}, Pair(1, {})]
    bad = [
        *([*good, b""], [*good, "\ud800"], {"k": {b"": 2}}, [2**64], [np.array(["a"])]),
        *({1: {2: b""}}, {2**64: 1}, Pair(1, b"")),
    ]

    def round_():
        encode(good)
        for value in bad:
            with suppress(UnsupportedResult):
                encode(value)

    for _ in range(20):
        round_()
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(1000):
        round_()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 200  # a leak of one object a value would be 6,000

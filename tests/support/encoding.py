"""An encoder of numpy's arrays, and a strict reader of what it writes."""

import json
from typing import NamedTuple

import numpy as np

from torch_serving.codecs.json._encoder import Encoder


def to_array(tensor):
    """As numpy.ascontiguousarray, but a 0-d array stays one."""
    return tensor if tensor.flags.c_contiguous else np.array(tensor, order="C")


ENCODER = Encoder(np.ndarray, to_array)


class Pair(NamedTuple):
    left: object
    right: object


def encode(value):
    return ENCODER.encode(value).decode()


def parse(text):
    """Read JSON as strictly as the standard has it."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)

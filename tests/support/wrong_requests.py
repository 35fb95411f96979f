"""Requests to exported programs that are refused, in all wire forms, and what a user sees."""

import json
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch

from tests.support.binary_bodies import NUMPY, SAFE, npy_of
from torch_serving.codecs.media_types import OIP

SHAPES = "Incompatible tensor shapes"
TYPES = "Incompatible tensor data type"
INPUT = "Invalid Input JSON"


class Wrong(NamedTuple):
    """A request that is refused, in words, and the error; `S` stands for a symbol."""

    what: str
    model: str
    body: Any
    description: str
    detail: str
    media_type: str = ""

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def rows(count: int, columns: int = 4) -> list[list[float]]:
    return [[0.0] * columns] * count


def envelope(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tensor", "value": value, **more}


def oip(**tensors: tuple[str, list[int], list[Any]]) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": shape, "data": data}
            for name, (datatype, shape, data) in tensors.items()
        ]
    }


def safe(**tensors: torch.Tensor) -> bytes:
    return bytes(safetensors.torch.save(tensors))


FEATURES = {"user": [1, 2], "item": [3, 4]}
TREES = {
    "features": FEATURES,
    "images": [[1, 2], [3, 4]],
    "pair": [[1, 2], [3, 4]],
    "box": {"low": [1, 2]},
}
KINDS = {"b16": [1, 2], "f16": [1, 2], "i32": [1, 2], "u8": [1, 2], "b": [1, 0]}
ONE_ROW = ("FP32", [1, 4], [0] * 4)
WRONG = [
    Wrong(
        "a column too many, by name",
        "mlp",
        {"x": rows(1, 5)},
        SHAPES,
        "/x: expected shape [S, 4], got [1, 5]: dimension 1 is 5, not 4 (argument `x`: Tensor)",
    ),
    Wrong(
        "the same by position",
        "mlp",
        [rows(1, 5)],
        SHAPES,
        "/0: expected shape [S, 4], got [1, 5]: dimension 1 is 5, not 4 (argument `x`: Tensor)",
    ),
    Wrong(
        "the same in an envelope",
        "mlp",
        {"x": envelope([0] * 5, shape=[1, 5])},
        SHAPES,
        "/x/value: expected shape [S, 4], got [1, 5]: dimension 1 is 5, not 4 (argument "
        "`x`: Tensor)",
    ),
    Wrong(
        "the same, bare",
        "fixed",
        rows(3, 5),
        SHAPES,
        "the body: expected shape [3, 4], got [3, 5]: dimension 1 is 5, not 4 (argument "
        "`input`: Tensor)",
    ),
    Wrong(
        "the same as the only argument",
        "auto",
        envelope([0] * 10, shape=[2, 5]),
        SHAPES,
        "/value: expected shape [S, 4], got [2, 5]: dimension 1 is 5, not 4 (argument "
        "`input`: Tensor)",
    ),
    Wrong(
        "the same in V2",
        "mlp",
        oip(x=("FP32", [1, 5], [0] * 5)),
        SHAPES,
        "input `x`: expected shape [S, 4], got [1, 5]: dimension 1 is 5, not 4",
        media_type=OIP,
    ),
    Wrong(
        "the same in safetensors",
        "mlp",
        safe(x=torch.zeros(1, 5)),
        SHAPES,
        "input `x`: expected shape [S, 4], got [1, 5]: dimension 1 is 5, not 4",
        media_type=SAFE,
    ),
    Wrong(
        "the same in npy",
        "mlp",
        npy_of(np.zeros((1, 5), np.float32)),
        SHAPES,
        "input `x`: expected shape [S, 4], got [1, 5]: dimension 1 is 5, not 4",
        media_type=NUMPY,
    ),
    Wrong(
        "a dimension too few",
        "mlp",
        {"x": [0, 0, 0, 0]},
        SHAPES,
        "/x: expected shape [S, 4], got [4]: 1 dimension, not 2 (argument `x`: Tensor)",
    ),
    Wrong(
        "more rows than the range has",
        "mlp",
        {"x": rows(9)},
        SHAPES,
        "/x: expected shape [S, 4], got [9, 4]: dimension 0 is 9, not 1…8 (argument `x`: Tensor)",
    ),
    Wrong(
        "no rows",
        "mlp",
        {"x": envelope([], shape=[0, 4])},
        SHAPES,
        "/x/value: expected shape [S, 4], got [0, 4]: dimension 0 is 0, not 1…8 "
        "(argument `x`: Tensor)",
    ),
    Wrong(
        "no rows in V2",
        "mlp",
        oip(x=("FP32", [0, 4], [])),
        SHAPES,
        "input `x`: expected shape [S, 4], got [0, 4]: dimension 0 is 0, not 1…8",
        media_type=OIP,
    ),
    Wrong(
        "one row, where the range begins at two",
        "auto",
        {"input": rows(1)},
        SHAPES,
        "/input: expected shape [S, 4], got [1, 4]: dimension 0 is 1, not 2… (argument "
        "`input`: Tensor)",
    ),
    Wrong(
        "other rows than were exported",
        "fixed",
        {"input": rows(2)},
        SHAPES,
        "/input: expected shape [3, 4], got [2, 4]: dimension 0 is 2, not 3 (argument "
        "`input`: Tensor)",
    ),
    Wrong(
        "another data type",
        "mlp",
        {"x": envelope([0] * 4, shape=[1, 4], data_type="int64")},
        TYPES,
        "/x/data_type: expected float32, got int64 (argument `x`: Tensor)",
    ),
    Wrong(
        "another data type in V2",
        "mlp",
        oip(x=("FP64", [1, 4], [0] * 4)),
        TYPES,
        "input `x`: expected float32, got float64",
        media_type=OIP,
    ),
    Wrong(
        "another data type in safetensors",
        "mlp",
        safe(x=torch.zeros(1, 4).half()),
        TYPES,
        "input `x`: expected float32, got float16",
        media_type=SAFE,
    ),
    Wrong(
        "fractions for integers",
        "two",
        {"ids": [[1.5, 2]], "mask": [[1, 0]]},
        TYPES,
        "/ids/0/0: 1.5 does not fit int64: it is not a whole number (argument `ids`: Tensor)",
    ),
    Wrong(
        "a number that uint8 does not hold",
        "kinds",
        KINDS | {"u8": [1, 256]},
        TYPES,
        "/u8/1: 256 does not fit uint8 (0…255) (argument `u8`: Tensor)",
    ),
    Wrong(
        "two arguments of other sizes",
        "two",
        {"ids": [[1, 2, 3]], "mask": [[1, 0]]},
        SHAPES,
        "argument `mask`: dimension 1 of `mask` is 2, and dimension 1 of `ids` is 3; both are `S`",
    ),
    Wrong(
        "the same in V2",
        "two",
        oip(ids=("INT64", [1, 2], [1, 2]), mask=("BOOL", [2, 2], [True] * 4)),
        SHAPES,
        "argument `mask`: dimension 0 of `mask` is 2, and dimension 0 of `ids` is 1; both are `S`",
        media_type=OIP,
    ),
    Wrong(
        "the same in safetensors",
        "two",
        safe(ids=torch.zeros(1, 2).long(), mask=torch.zeros(1, 3).bool()),
        SHAPES,
        "argument `mask`: dimension 1 of `mask` is 3, and dimension 1 of `ids` is 2; both are `S`",
        media_type=SAFE,
    ),
    Wrong(
        "a size that does not follow from another",
        "derived",
        {"x": rows(3, 2), "y": rows(5, 2)},
        SHAPES,
        "argument `y`: dimension 0 of `y` is 5, not 6: it is 2*S, and S is 3, dimension 0 of `x`",
    ),
    Wrong(
        "a size that a guard refuses",
        "fours",
        {"x": rows(9, 3)},
        SHAPES,
        "argument `x`: the model needs (x.shape[0] % 4) == 0; x.shape[0] is 9",
    ),
    Wrong(
        "an integer below its range",
        "count",
        {"x": rows(2, 6), "count": -1},
        INPUT,
        "argument `count`: expected 1…6, got -1",
    ),
    Wrong(
        "an integer beyond it",
        "count",
        {"x": rows(2, 6), "count": 7},
        INPUT,
        "argument `count`: expected 1…6, got 7",
    ),
    Wrong(
        "another number than was burnt in",
        "mlp",
        {"x": rows(1), "scale": 0.25},
        INPUT,
        "/scale: expected 0.5, which is fixed in the model, got the number 0.25 "
        "(argument `scale`: Literal[0.5])",
    ),
    Wrong(
        "another word",
        "mlp",
        {"x": rows(1), "mode": "sum"},
        INPUT,
        '/mode: expected "mean", which is fixed in the model, got the string "sum" '
        '(argument `mode`: Literal["mean"])',
    ),
    Wrong(
        "another truth",
        "mlp",
        {"x": rows(1), "flag": False},
        INPUT,
        "/flag: expected true, which is fixed in the model, got false (argument `flag`: "
        "Literal[true])",
    ),
    Wrong(
        "a tensor where None was burnt in",
        "mlp",
        {"x": rows(1), "mask": rows(1)},
        INPUT,
        "/mask: expected null, which is fixed in the model, got an array of 1 element "
        "(argument `mask`: None)",
    ),
    Wrong(
        "another number in V2",
        "mlp",
        oip(x=ONE_ROW, scale=("FP64", [1], [0.25])),
        INPUT,
        "input `scale`: expected 0.5, which is fixed in the model, got 0.25",
        media_type=OIP,
    ),
    Wrong(
        "a tensor for None in V2",
        "mlp",
        oip(x=ONE_ROW, mask=("FP32", [1], [0])),
        INPUT,
        "input `mask`: expected null, which is fixed in the model, got a tensor",
        media_type=OIP,
    ),
    Wrong(
        "a constant within an argument",
        "trees",
        TREES | {"box": {"low": [1, 2], "margin": 4}},
        INPUT,
        "/box/margin: expected 3, which is fixed in the model, got the number 4 "
        "(argument `box`: Box)",
    ),
    Wrong(
        "an unknown argument",
        "mlp",
        {"x": rows(1), "y": 1},
        INPUT,
        "/y: unknown argument; expected 1 to 5 arguments (x: Tensor, mask: None, mode: "
        'Literal["mean"], scale: Literal[0.5], flag: Literal[true]); send {"x": …}',
    ),
    Wrong("no argument", "mlp", {}, INPUT, "the body: argument `x`: Tensor is missing"),
    Wrong(
        "a missing key",
        "trees",
        TREES | {"features": {"user": [1, 2]}},
        INPUT,
        "/features: expected the keys user, item, got user (argument `features`: {user: "
        "Tensor, item: Tensor})",
    ),
    Wrong(
        "an unknown key",
        "trees",
        TREES | {"features": FEATURES | {"age": [1]}},
        INPUT,
        "/features: expected the keys user, item, got user, item, age (argument "
        "`features`: {user: Tensor, item: Tensor})",
    ),
    Wrong(
        "a missing key in V2",
        "trees",
        oip(**{"features.user": ("FP32", [2], [1, 2])}),
        INPUT,
        "input `features.item`: Tensor is missing",
        media_type=OIP,
    ),
    Wrong(
        "an unknown output in V2",
        "mlp",
        oip(x=ONE_ROW) | {"outputs": [{"name": "z"}]},
        INPUT,
        "output `z` is unknown; the model gives y, n, pair.0",
        media_type=OIP,
    ),
    Wrong(
        "a list that is too short",
        "trees",
        TREES | {"images": [[1, 2]]},
        INPUT,
        "/images: expected 2 elements, got 1 (argument `images`: [Tensor, Tensor])",
    ),
    Wrong(
        "a wrong shape in a dictionary",
        "trees",
        TREES | {"features": FEATURES | {"user": [1]}},
        SHAPES,
        "/features/user: expected shape [2], got [1]: dimension 0 is 1, not 2 (argument "
        "`features`: {user: Tensor, item: Tensor})",
    ),
    Wrong(
        "a missing field",
        "trees",
        TREES | {"pair": {"left": [1, 2]}},
        INPUT,
        "/pair: expected the fields left, right, got left (argument `pair`: Pair)",
    ),
]

"""Requests with tensors of other shapes and types than a program has, and what a user sees."""

import numpy as np
import torch

from tests.support.binary_bodies import NUMPY, SAFE, npy_of
from tests.support.program_requests import KINDS, SHAPES, TYPES, Wrong, envelope, oip, rows, safe
from torch_serving.codecs.media_types import OIP

WRONG_TENSORS = [
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
]

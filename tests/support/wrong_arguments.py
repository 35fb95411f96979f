"""Requests with other arguments and constants than a program has, and what a user sees."""

from tests.support.program_requests import FEATURES, INPUT, ONE_ROW, SHAPES, TREES, Wrong, oip, rows
from torch_serving.codecs.media_types import OIP

WRONG_ARGUMENTS = [
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

"""Images for tensors of which data type or shape is declared."""

import json
from typing import Any

import numpy as np
import pytest

from tests.support.pictures import PICTURE, encoded, envelope
from torch_serving.codecs.json._decoder import Argument, Decoder, TypeSpec, ValueFactory
from torch_serving.codecs.json.images import decode_image
from torch_serving.errors import ServingError
from torch_serving.tensor_constraint import Dimension, TensorConstraint

ANY = (Dimension(), Dimension())


@pytest.mark.parametrize(
    ("constraint", "dtype", "shape"),
    [
        (TensorConstraint("float32"), np.float32, (3, 4, 6)),
        (TensorConstraint("", (Dimension(),) * 4), np.uint8, (1, 3, 4, 6)),
        (TensorConstraint("float16", (Dimension(1, 8), Dimension(3, 3), *ANY)), np.float16,
         (1, 3, 4, 6)),
        (TensorConstraint("", (Dimension(3, 3), *ANY)), np.uint8, (3, 4, 6)),
    ],
)  # fmt: skip
def test_an_image_is_as_declared(constraint: TensorConstraint, dtype: Any, shape: tuple[int, ...]):
    spec = TypeSpec("tensor", "Tensor", constraint=constraint)
    factory = ValueFactory(lambda array: array, image=decode_image)
    decoder = Decoder([Argument("x", spec)], factory)
    (pixels,) = decoder.decode(json.dumps([envelope(encoded(PICTURE))]).encode())
    assert (pixels.dtype, pixels.shape) == (dtype, shape)


@pytest.mark.parametrize(
    ("constraint", "members", "words"),
    [
        (
            TensorConstraint("", (Dimension(1, 1), *ANY)),
            {},
            "/0: expected shape [1, -1, -1], got [3, 4, 6]: dimension 0 is 3, not 1",
        ),
        (TensorConstraint("uint8"), {"data_type": "float32"}, "/0/data_type: expected uint8, got "),
        (TensorConstraint("int64"), {}, "/0/value: `data_type` of an image is one of uint8, "),
    ],
)
def test_an_image_that_is_not_as_declared(
    constraint: TensorConstraint, members: dict[str, Any], words: str
):
    spec = TypeSpec("tensor", "Tensor", constraint=constraint)
    decoder = Decoder([Argument("x", spec)], ValueFactory(lambda array: array, image=decode_image))
    with pytest.raises(ServingError) as caught:
        decoder.decode(json.dumps([envelope(encoded(PICTURE), **members)]).encode())
    assert caught.value.detail.startswith(words)

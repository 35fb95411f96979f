"""What makes the values of a method's arguments of what a decoder has read."""

from typing import Any

import torch
from numpy.typing import NDArray

from torch_serving.codecs.arrays import bfloat16_to_tensor
from torch_serving.codecs.json._decoder import ValueFactory
from torch_serving.codecs.json.images import decode_image
from torch_serving.engine.devices import device_of
from torch_serving.errors import InvalidDevice
from torch_serving.models.backends.interfaces import ProgramMethod


def value_factory(method: ProgramMethod) -> ValueFactory:
    return ValueFactory(
        tensor=as_it_is if method.takes_arrays else torch.from_numpy,
        bfloat16=bfloat16_to_tensor,
        device=device_value,
        enum=method.make_enum,
        image=decode_image,
    )


def as_it_is(array: NDArray[Any]) -> NDArray[Any]:
    return array


def device_value(name: str) -> torch.device:
    try:
        return device_of(name)
    except InvalidDevice as error:
        raise ValueError(error.detail) from None

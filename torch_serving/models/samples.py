"""The sample inputs of a program as a request: it warms the model up, and is its example."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import torch

from torch_serving.codecs.arrays import to_numpy
from torch_serving.codecs.constants import written
from torch_serving.codecs.json._decoder import TypeSpec
from torch_serving.codecs.json._encoder import encode_numbers
from torch_serving.codecs.python_values import ValueReader, read_arguments
from torch_serving.codecs.tensor_tree.specs import fields_of
from torch_serving.errors import ServingError
from torch_serving.model_config import WarmUp
from torch_serving.models.servable import Method, Servable

logger = logging.getLogger(__name__)

SOURCE = "the sample inputs of the program"
MAX_ELEMENTS = 1 << 18  # an image of 224 x 224 pixels has 150,528


def warm_ups_of(servable: Servable) -> tuple[WarmUp, ...]:
    """The warm-up requests that its owner gave, else the one that the program brings."""
    if servable.config.warmup or servable.program.sample_inputs is None:
        return servable.config.warmup
    try:
        body = sample_body(servable.main_method(), *servable.program.sample_inputs)
    except (ServingError, TypeError, ValueError) as error:
        logger.debug("%s: its sample inputs make no request: %s", servable.identifier, error)
        return ()
    return (WarmUp(SOURCE, body),) if body else ()


def sample_body(method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """A request by name; empty if it is long. Raises ServingError for inputs of other types."""
    arguments = method.signature.arguments
    named = {each.name: value for each, value in zip(arguments, args, strict=False)} | kwargs
    values = read_arguments(ValueReader(method.make_enum), arguments, method.check, named)
    required = [
        (each, value) for each, value in zip(arguments, values, strict=True) if each.required
    ]
    elements = sum(
        tensor.numel() for each, value in required for tensor in tensors_in(each.spec, value)
    )
    if elements > MAX_ELEMENTS:
        return b""
    return as_object({each.name: as_json(each.spec, value) for each, value in required})


def tensors_in(spec: TypeSpec, value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    for _, part, inner in parts_of(spec, value):
        yield from tensors_in(inner, part)


def as_json(spec: TypeSpec, value: Any) -> bytes:
    """A value as requests spell it: tensors in envelopes, the rest plain."""
    if isinstance(value, torch.Tensor):
        data_type = str(value.dtype).removeprefix("torch.")
        head = f'{{"type":"tensor","data_type":"{data_type}","shape":{list(value.shape)},"value":'
        return head.encode() + encode_numbers(to_numpy(value.contiguous())) + b"}"
    if spec.kind not in ("tuple", "dict"):
        return written(value).encode()
    parts = [(str(field), as_json(inner, part)) for field, part, inner in parts_of(spec, value)]
    if spec.kind == "dict" or spec.names:
        return as_object(dict(parts))
    return b"[" + b",".join(part for _, part in parts) + b"]"


def as_object(members: dict[str, bytes]) -> bytes:
    pairs = (json.dumps(key).encode() + b":" + value for key, value in members.items())
    return b"{" + b",".join(pairs) + b"}"


def parts_of(spec: TypeSpec, value: Any) -> Iterator[tuple[str | int, Any, TypeSpec]]:
    """The parts of a value that a program takes: field or key, value and type."""
    if spec.kind == "dict":
        for key, inner in (spec.members or {}).items():
            yield key, value[key], inner
    elif spec.kind == "tuple":
        yield from zip(fields_of(spec), value, spec.parts, strict=True)

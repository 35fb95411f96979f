"""Named tensors -> the body of a response: JSON, and after it the buffers of binary outputs."""

import functools
import json
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from torch_serving.codecs.arrays import to_numpy
from torch_serving.codecs.json._encoder import encode_numbers
from torch_serving.codecs.oip.byte_strings import write_byte_strings
from torch_serving.codecs.oip.datatypes import BYTES, OF_TENSOR
from torch_serving.codecs.oip.request import InferRequest
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor
from torch_serving.errors import InvalidInput, UnsupportedResult

MAX_REMEMBERED_NAME = 128  # characters: results have the same few names and shapes


class InferResponse(NamedTuple):
    """`json_bytes` is how long the JSON is; None: there is nothing else."""

    body: bytes
    json_bytes: int | None


def write_response(
    model: str, version: str, request: InferRequest, tensors: dict[str, Leaf]
) -> InferResponse:
    """Write the body of a response.

    Raises InvalidInput for a requested output that is not there, UnsupportedResult for a data type
    that the protocol lacks.
    """
    id_ = "" if request.id is None else f', "id": {quoted(request.id)}'
    head = f'{{"model_name": {quoted(model)}, "model_version": "{version}"{id_}, "outputs": ['
    pieces = [head.encode()]
    buffers: list[memoryview] = []
    separator = b""
    for name, leaf, binary in chosen(request, tensors):
        datatype = datatype_of(name, leaf)
        pieces.append(separator)
        separator = b", "
        elements = elements_of(name, leaf, binary)
        if binary:
            buffers.append(elements)
            pieces.append(described(name, datatype, leaf.shape, buffers[-1].nbytes))
        else:
            description = described(name, datatype, leaf.shape)[:-1]
            pieces += [description, b', "data": ', elements, b"}"]
    pieces.append(b"]}")
    if not buffers:
        return InferResponse(b"".join(pieces), None)
    return InferResponse(b"".join([*pieces, *buffers]), sum(map(len, pieces)))


def chosen(request: InferRequest, tensors: dict[str, Leaf]) -> list[tuple[str, Leaf, bool]]:
    """The outputs that go into the response, in order, and which of them as binary data."""
    if not request.outputs:
        return [(name, leaf, request.binary) for name, leaf in tensors.items()]
    for name, _ in request.outputs:
        if name not in tensors:
            raise unknown_output(name, tensors)
    return [
        (name, tensors[name], request.binary if binary is None else binary)
        for name, binary in request.outputs
    ]


def unknown_output(name: str, names: Any) -> InvalidInput:
    known = ", ".join(names)[:500] or "no outputs"
    return InvalidInput(f"output `{name[:100]}` is unknown; the model gives {known}")


def described(name: str, datatype: str, shape: tuple[int, ...], size: int | None = None) -> bytes:
    """An output's JSON without its numbers; with `size`, those are in the body behind."""
    describe = remembered if len(name) <= MAX_REMEMBERED_NAME else remembered.__wrapped__
    return describe(name, datatype, shape, size)


@functools.lru_cache(256)
def remembered(name: str, datatype: str, shape: tuple[int, ...], size: int | None) -> bytes:
    sizes = ", ".join(map(str, shape))
    size_ = "" if size is None else f', "parameters": {{"binary_data_size": {size}}}'
    return (
        f'{{"name": {quoted(name)}, "datatype": "{datatype}", "shape": [{sizes}]{size_}}}'
    ).encode()


def datatype_of(name: str, leaf: Leaf) -> str:
    if isinstance(leaf, StringTensor):
        return BYTES
    datatype = OF_TENSOR.get(leaf.dtype)
    if datatype is None:
        kind = str(leaf.dtype).removeprefix("torch.")
        raise UnsupportedResult(f"output `{name[:100]}`: the protocol has no {kind}")
    return datatype


def elements_of(name: str, leaf: Leaf, binary: bool) -> Any:
    try:
        return buffer_of(leaf) if binary else data_of(leaf)
    except UnsupportedResult as error:
        raise UnsupportedResult(f"output `{name[:100]}`: {error.detail}") from None


def data_of(leaf: Leaf) -> bytes:
    """The elements as a flat array of JSON; NaN and infinities are strings, as JSON lacks them."""
    if isinstance(leaf, StringTensor):
        return json.dumps(leaf.values).encode()
    return encode_numbers(to_numpy(leaf))


def buffer_of(leaf: Leaf) -> memoryview:
    """The elements as bytes, row by row; a tensor is only copied if it lies otherwise."""
    return (
        memoryview(write_byte_strings(leaf.values))
        if isinstance(leaf, StringTensor)
        else to_numpy(leaf).data
    )

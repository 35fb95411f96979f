"""The body of an inference request -> named tensors and requested outputs.

A body is JSON, and behind it the buffers of the inputs that have a `binary_data_size`, in order.
Nothing is allocated before all sizes were found to agree. Numbers in JSON are read straight into
the memory of their tensors. A buffer becomes a tensor in the body's own memory; if it does not lie
at a multiple of its element's size, it is copied once.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from torch_serving.codecs.arrays import writable_native
from torch_serving.codecs.interfaces import Body
from torch_serving.codecs.json._decoder import Argument, TypeSpec, Value, read_json
from torch_serving.codecs.oip.byte_strings import decode_utf8, read_byte_strings, strings_in
from torch_serving.codecs.oip.datatypes import (
    BYTES,
    DATATYPES,
    NAMES,
    Datatype,
    declared_datatype,
)
from torch_serving.codecs.tensor_tree.specs import Leaf, StringTensor, only_input
from torch_serving.codecs.tensor_tree.unflatten import MAX_TENSORS
from torch_serving.errors import (
    IncompatibleDtype,
    IncompatibleShape,
    InvalidInput,
    InvalidParameter,
    ServingError,
)
from torch_serving.tensor_constraint import Dimension

# Parameters whose extensions this server does not have: to ignore them would give other results.
REFUSED = ("shared_memory_region", "classification")


class RequestedOutput(NamedTuple):
    """An output that is asked for, and whether as binary data; None: as the request says."""

    name: str
    binary: bool | None


class InferRequest(NamedTuple):
    """What a request asks for: its inputs by name, and its requested outputs."""

    id: str | None
    inputs: dict[str, Leaf]
    outputs: list[RequestedOutput]  # none: all
    binary: bool  # unless an output says otherwise


class InputHeader(NamedTuple):
    """An input as the JSON describes it; with `size`, its elements follow the JSON in the body."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int | None
    data: Value | None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def json_length(header: str | None) -> int | None:
    """`Inference-Header-Content-Length`: how long the JSON is; None: the body is nothing else."""
    if header is None:
        return None
    if not (header.isascii() and header.isdigit() and len(header) <= 12):
        raise InvalidParameter(
            "header `Inference-Header-Content-Length`: expected a whole number, "
            f"got `{header[:40]}`"
        )
    return int(header)


def read_request(body: Body, json_bytes: int | None, accepts_strings: bool = True) -> InferRequest:
    """Read a body. Strings are read only if `accepts_strings`: they take long.

    Raises InvalidJson, InvalidInput, IncompatibleShape or IncompatibleDtype.
    """
    end = len(body) if json_bytes is None else json_bytes
    if end > len(body):
        raise InvalidInput(f"the JSON shall have {end} bytes, the body has {len(body)}")
    root = read_json(body if end == len(body) else memoryview(body)[:end])
    try:
        request = read_root(root, body, end, DATATYPES if not accepts_strings else NAMES)
    except ServingError:
        root.validate()  # malformed JSON matters more
        raise
    root.validate()
    return request


def read_root(root: Value, body: Body, end: int, datatypes: Collection[str]) -> InferRequest:
    members = present(root)
    inputs, outputs = members.get("inputs"), members.get("outputs")
    if inputs is None:
        raise root.error("the key `inputs` is missing")
    headers = [read_input_header(each, datatypes) for each in limited(inputs)]
    sizes = [header.size for header in headers if header.size is not None]
    if sum(sizes) != len(body) - end:
        raise InvalidInput(
            f"the inputs announce {sum(sizes)} bytes of binary data, "
            f"the body has {len(body) - end} behind its JSON"
        )
    tensors = read_tensors(headers, body, end)
    listed = [] if outputs is None else limited(outputs)
    requested = [read_requested_output(each) for each in listed]
    if len({each.name for each in requested}) < len(requested):
        raise InvalidInput("/outputs: an output is asked for twice")
    parameters = parameters_of(members)
    binary = parameters.get("binary_data_output")
    name = members.get("id")
    return InferRequest(
        None if name is None else name.string(),
        tensors,
        requested,
        False if binary is None else binary.boolean(),
    )


def present(value: Value) -> dict[str, Value]:
    """The members of an object; null is as good as absent."""
    return {name: member for name, member in value.members().items() if member.kind != "null"}


def limited(values: Value) -> list[Value]:
    if values.kind == "array" and values.count > MAX_TENSORS:
        raise values.error(f"{values.count} tensors; the limit is {MAX_TENSORS}")
    return values.elements()


def parameters_of(members: dict[str, Value]) -> dict[str, Value]:
    """The parameters of an object; unknown ones are ignored."""
    value = members.get("parameters")
    parameters = {} if value is None else present(value)
    for name in REFUSED:
        if name in parameters:
            raise parameters[name].error(f"this server has no extension for `{name}`")
    return parameters


def required(value: Value, members: dict[str, Value], key: str) -> Value:
    if key not in members:
        raise value.error(f"the key `{key}` is missing")
    return members[key]


def read_input_header(value: Value, datatypes: Collection[str]) -> InputHeader:
    members = present(value)
    name = required(value, members, "name").string()
    datatype = required(value, members, "datatype").string()
    if datatype not in datatypes:
        raise IncompatibleDtype(
            f"input `{name[:100]}`: expected one of {', '.join(datatypes)}, got `{datatype[:40]}`"
        )
    size_value = parameters_of(members).get("binary_data_size")
    size = None if size_value is None else size_value.integer()
    data = members.get("data")
    if size_value is not None and size is not None and size < 0:
        raise size_value.error(f"expected a size, got {size}")
    if (size is None) == (data is None):
        raise value.error(
            "expected either `data` or the parameter `binary_data_size`, "
            f"got {'neither' if data is None else 'both'}"
        )
    return InputHeader(name, datatype, required(value, members, "shape").shape(), size, data)


def read_requested_output(value: Value) -> RequestedOutput:
    members = present(value)
    binary = parameters_of(members).get("binary_data")
    name = required(value, members, "name").string()
    return RequestedOutput(name, None if binary is None else binary.boolean())


def read_tensors(headers: list[InputHeader], body: Body, at: int) -> dict[str, Leaf]:
    tensors: dict[str, Leaf] = {}
    for header in headers:
        if header.name in tensors:
            raise InvalidInput(f"input `{header.name[:100]}` stands twice")
        if header.data is not None:
            tensors[header.name] = read_data(header, header.data)
        else:
            size = header.size or 0
            tensors[header.name] = read_buffer(header, body, at, size)
            at += size
    return tensors


def read_data(header: InputHeader, data: Value) -> Leaf:
    """Numbers or strings in JSON: flat, or nested as the shape says."""
    if header.datatype == BYTES:
        strings = strings_in(data)
        check_count(header, len(strings))
        return StringTensor(header.shape, strings)
    datatype = DATATYPES[header.datatype]
    array = data.numbers(datatype.json)
    check_count(header, array.size)
    if array.ndim > 1 and array.shape != header.shape:
        raise data.error(f"nested as {list(array.shape)}, the shape is {list(header.shape)}")
    return tensor_of(array, header, datatype)


def tensor_of(array: NDArray[Any], header: InputHeader, datatype: Datatype) -> torch.Tensor:
    tensor = torch.from_numpy(array.reshape(header.shape))
    return tensor.view(torch.bfloat16) if datatype.tensor is torch.bfloat16 else tensor


def check_count(header: InputHeader, count: int) -> None:
    if count != header.elements:
        raise IncompatibleShape(
            f"input `{header.name[:100]}`: shape {list(header.shape)} holds {header.elements} "
            f"elements, `data` has {count}"
        )


def read_buffer(header: InputHeader, body: Body, at: int, size: int) -> Leaf:
    if header.datatype == BYTES:
        data = memoryview(body)[at : at + size]
        return StringTensor(
            header.shape, read_byte_strings(data, header.elements, header.name[:100])
        )
    datatype, elements = DATATYPES[header.datatype], header.elements
    needed = elements * datatype.array.itemsize
    if needed != size:
        raise IncompatibleShape(
            f"input `{header.name[:100]}`: shape {list(header.shape)} of {datatype.name} takes "
            f"{needed} bytes, `binary_data_size` is {size}"
        )
    if size == 0:
        return torch.empty(header.shape, dtype=datatype.tensor)
    array = np.frombuffer(body, datatype.array, elements, at)
    if datatype.name == "BOOL" and array.view(np.uint8).max() > 1:
        raise IncompatibleDtype(f"input `{header.name[:100]}`: a BOOL is neither 0 nor 1")
    return tensor_of(writable_native(array), header, datatype)


def raw_shape(spec: TypeSpec, count: int) -> tuple[int, ...]:
    """The shape of so many elements: of the dimensions that are known, with one that is open."""
    known = spec.constraint.shape if spec.constraint else None
    sizes = [each.least if each.is_fixed else -1 for each in known or [Dimension()]]
    rest = math.prod(size for size in sizes if size >= 0)
    is_known = sizes.count(-1) == 1 or (-1 not in sizes and count == rest)
    if not rest or count % rest or not is_known:
        return (count,)
    return tuple([count // rest if size < 0 else size for size in sizes])


def read_raw(body: Body, arguments: Sequence[Argument], usual: str) -> InferRequest:
    """A body without JSON: one input, or one string; all outputs are binary.

    The input has one dimension, unless its shape is known but for the size of one dimension.
    """
    name, spec, _ = only_input(arguments, "a body without JSON is one input")
    datatype = declared_datatype(spec, usual)
    leaf: Leaf
    if spec.kind == "str":
        leaf = StringTensor((1,), [decode_utf8(memoryview(body), name)])
    elif spec.kind == "tensor":
        item_bytes = DATATYPES[datatype].array.itemsize
        count, rest = divmod(len(body), item_bytes)
        if rest:
            raise InvalidInput(f"{len(body)} bytes are no {datatype} of {item_bytes} bytes each")
        header = InputHeader(name, datatype, raw_shape(spec, count), None, None)
        leaf = read_buffer(header, body, 0, len(body))
    else:
        raise InvalidInput(f"a body without JSON is a tensor or a string; `{name}`: {spec.type}")
    return InferRequest(None, {name: leaf}, [], True)

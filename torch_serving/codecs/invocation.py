"""Requests to a method whose bodies and answers have another form than the JSON of `/serve`."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch_serving.codecs.json._decoder import Argument
from torch_serving.codecs.tensor_tree.flatten import flatten
from torch_serving.codecs.tensor_tree.specs import Leaf
from torch_serving.codecs.tensor_tree.unflatten import bind
from torch_serving.models.servable import JSON_HEADERS, Headers, Method


class Form(NamedTuple):
    """How named tensors stand in a body: `read(body, arguments)` and `write(tensors)`."""

    media_type: str
    read: Callable[[bytes | bytearray, Sequence[Argument]], dict[str, Leaf]]
    write: Callable[[dict[str, Leaf]], bytes]


class Call:
    """What the engine asks of a method, for one request: it joins the batches of all others.

    Its pace is that of its form: how large the short bodies of one form are tells nothing of
    another. `answer_headers` say what its answer is, once that is encoded.
    """

    answer_headers: Headers = JSON_HEADERS

    def __init__(self, method: Method, form: str) -> None:
        self.method = method
        self.pace = method.pace_of(form)
        self.batching = method.batching
        self.counters = method.counters
        self.label = method.label
        self.name = method.name
        self.device = method.device
        self.run = method.run

    def decode(self, body: bytes | bytearray) -> list[Any]:
        raise NotImplementedError

    def encode(self, outputs: Any) -> bytes:
        raise NotImplementedError


class FormCall(Call):
    """A request that comes in one form and is answered in another; None is the method's own."""

    def __init__(self, method: Method, read: Form | None, write: Form | None) -> None:
        super().__init__(method, f"{read and read.media_type} {write and write.media_type}")
        self._read = read
        self._write = write
        if write is not None:
            self.answer_headers = (("content-type", write.media_type),)

    def decode(self, body: bytes | bytearray) -> list[Any]:
        if self._read is None:
            return self.method.decode(body)
        arguments = self.method.signature.arguments
        return bind(arguments, self._read.read(body, arguments), self.device)

    def encode(self, outputs: Any) -> bytes:
        if self._write is None:
            return self.method.encode(outputs)
        return self._write.write(flatten(outputs, self.method.signature.result))


def task_in(method: Method, read: Form | None, write: Form | None) -> Method | FormCall:
    """What answers a request to a method in these forms."""
    return method if read is write is None else FormCall(method, read, write)

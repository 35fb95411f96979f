"""What the engine asks of a request, and of whoever waits for its response.

The engine knows no HTTP, no model and no media type: a method of a model is an `Invocation`, and so
is one request in another media type; a future is a `Completion`, and so is one HTTP exchange.
"""

import asyncio
from typing import Any, Protocol

import torch

from torch_serving.codecs.interfaces import Body, Encoded, Headers
from torch_serving.engine.batcher import Batcher
from torch_serving.engine.device_method import DeviceMethod
from torch_serving.engine.inline_policy import InlinePolicy
from torch_serving.errors import ServingError
from torch_serving.telemetry._counters import MethodCounters


class Invocation(Protocol):
    """How one request is decoded, run and encoded.

    Each step may raise; the error goes to that request alone. A step may be an attribute as well: a
    method of C there costs a request no frame of Python.
    """

    model: str  # the identifier: a reference would keep an evicted model in memory
    device: torch.device
    batcher: Batcher | None  # None: requests run one by one
    inline: InlinePolicy
    device_method: DeviceMethod | None  # what the device's executor runs; None: a thread runs it
    counters: MethodCounters
    headers: Headers  # of responses that `encode` returns as bytes

    def decode(self, body: Body, /) -> list[Any]:
        """Tensors are in host memory, whatever the device: other threads' copies are unordered."""

    def run(self, inputs: list[Any], /) -> Any:
        """Wait for the outputs, which are in host memory."""

    def translate(self, error: Exception, /) -> ServingError:
        """Translate an error that a program raised."""

    def encode(self, outputs: Any, /) -> Encoded:
        """Bytes have the invocation's `headers`; a `Response` has its own."""


class Completion(Protocol):
    """All of a future that the engine uses."""

    def done(self) -> bool: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def set_result(self, response: Encoded, /) -> None: ...
    def set_exception(self, error: BaseException, /) -> None: ...

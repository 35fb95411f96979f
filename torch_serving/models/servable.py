"""A loaded model: bytes -> inputs -> outputs -> bytes."""

import time
from typing import Any

import torch

from torch_serving.codecs.arrays import array_of, from_array_to, from_bfloat16_to
from torch_serving.codecs.interfaces import JSON_HEADERS
from torch_serving.codecs.json._decoder import Decoder, ValueFactory
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.codecs.json.images import decode_image
from torch_serving.config import ModelConfig
from torch_serving.engine.batcher import Batcher
from torch_serving.engine.device_errors import device_error, explain
from torch_serving.engine.devices import device_of
from torch_serving.engine.inline_policy import InlinePolicy, is_bounded
from torch_serving.errors import (
    InferenceFailed,
    InvalidDevice,
    InvalidInput,
    InvalidParameter,
    ServingError,
)
from torch_serving.models.backends.torchscript.enums import EnumMember, envelope_of
from torch_serving.models.backends.torchscript.schema import Enums, shared_signatures, signature_of
from torch_serving.models.files import FileStat
from torch_serving.telemetry._counters import MethodCounters, Statistics

PREFIX = b'{"code": 200, "message": "OK", "description": "Success", "result": '
SUFFIX = b"}"

UNTYPED = "Tracer cannot infer type"  # what torch says of a list of several types, or of none


class Servable:
    """A TorchScript module on one device, and its methods. Safe to use from any thread.

    `identity` tells the file that it was loaded from apart from any other (files.FileStat),
    `version` its contents from those of any other (archive.version_of).
    Raises InvalidServable if its `forward` takes what no request can hold.
    """

    def __init__(
        self,
        module: torch.jit.ScriptModule,
        device: torch.device,
        identity: FileStat | None = None,
        enums: Enums = dict,
        settings: ModelConfig | None = None,
        name: str = "model",
        version: str = "",
    ) -> None:
        self.name = name
        self._identifier = name
        self.version = version
        self.warning = ""  # why it is not what its file would have it be
        self.loaded_s = time.time()
        self.stamps: list[int] = []  # when the files beside its file changed
        self.identity = identity
        self.device = device
        self.module = module
        self.settings = settings or ModelConfig()
        self._enums = enums
        self._methods: dict[str, Method] = {}
        self._statistics: Statistics | None = None
        self._bytes: int | None = None
        self.method("forward")
        self._signatures = shared_signatures(module, self.method_names(), enums)

    @property
    def identifier(self) -> str:
        """What requests call the model: the path of its file below the model root."""
        return self._identifier

    @identifier.setter
    def identifier(self, identifier: str) -> None:
        self._identifier = identifier
        for method in self._methods.values():
            method.model = identifier

    def method(self, name: str) -> "Method":
        """Return an exported method; raises InvalidParameter if there is none of this name."""
        method = self._methods.get(name)
        if method is None:
            method = self.apart(name)
            if self._statistics is not None:
                method.counters = self._counters(self._statistics, name)
            self._methods[name] = method
        return method

    def apart(self, name: str) -> "Method":
        """The same as a copy, to try requests: what it does is neither counted nor learnt from."""
        names = self.method_names()
        if name not in names:
            raise InvalidParameter(f"`method`: the model has {', '.join(names)}; got `{name[:40]}`")
        # by attribute, torch.nn.Module's own `half` or `train` would be found
        return Method(self, self.module._c._get_method(name), self._enums)

    def count_in(self, statistics: Statistics) -> None:
        """Count its requests there from now on."""
        self._statistics = statistics
        for name, method in list(self._methods.items()):
            method.counters = self._counters(statistics, name)

    def _counters(self, statistics: Statistics, method: str) -> MethodCounters:
        return statistics.counters(self.identifier.encode("utf-8", "replace"), method.encode())

    def bytes(self) -> int:
        """What its weights take on its device; reckoned once, as each load asks for all models."""
        if self._bytes is None:
            tensors = [*self.module.parameters(), *self.module.buffers()]
            self._bytes = sum(tensor.nbytes for tensor in tensors)
        return self._bytes

    def entry(self) -> dict[str, Any]:
        """What the list of loaded models says of it."""
        return {
            "identifier": self.identifier,
            "device": str(self.device),
            "bytes": self.bytes(),
            "version": self.version,
            "loaded_s": self.loaded_s,
            "warning": self.warning,
            "methods": self._signatures,
        }

    def weights_dtype(self) -> torch.dtype | None:
        """The data type of the first weights that are floats, as most tensors that a model takes
        have the same."""
        dtypes = (weight.dtype for weight in self.module.parameters())
        return next((dtype for dtype in dtypes if dtype.is_floating_point), None)

    def method_names(self) -> list[str]:
        names: list[str] = self.module._c._method_names()
        return [name for name in names if not name.startswith("_")]


class Method:
    """One method of a servable: body -> inputs -> outputs -> response."""

    headers = JSON_HEADERS

    # By name: if methods held their servable, which holds them, an evicted model would keep its
    # memory until the next run of the garbage collector.
    model: str

    def __init__(self, servable: Servable, method: Any, enums: Enums) -> None:
        self.signature = signature_of(method.schema, enums)
        self.inline = InlinePolicy(is_bounded(method))
        self.counters = MethodCounters()
        self.model = servable.identifier
        self.weights_dtype = servable.weights_dtype()
        self.device = servable.device
        settings = servable.settings
        self.batcher = Batcher(servable.name, settings.max_batch) if settings.batch else None
        self._method = method
        self._inline_for: dict[str, InlinePolicy] = {}
        make = ValueFactory(
            tensor=from_array_to(servable.device),
            bfloat16=from_bfloat16_to(servable.device),
            device=device_value,
            enum=lambda enum_type, name: EnumMember(name, enums()[enum_type][name]),
            image=decode_image,
        )
        # no method around these two, since each call of Python's is dear when caches are cold
        self.decode = Decoder(self.signature.arguments, make).decode
        self.encode = Encoder(
            torch.Tensor, array_of, PREFIX, SUFFIX, envelope_of, self.signature.result
        ).encode

    def inline_for(self, media_types: str) -> InlinePolicy:
        """The policy for requests whose bodies and responses have other media types."""
        policy = self._inline_for.get(media_types)
        if policy is None:
            policy = self._inline_for[media_types] = InlinePolicy(self.inline.bounded)
        return policy

    def run(self, inputs: list[Any]) -> Any:
        """Call the method.

        Raises InferenceFailed with the model's own message, or OutOfMemory.
        """
        try:
            outputs = self._method(*inputs)
        except Exception as error:
            raise translated(error) from error
        if self.batcher is not None and self.batcher.state == "unproven":
            self.batcher.prove(lambda others: self._method(*others), inputs, outputs)
        return outputs


def device_value(name: str) -> torch.device:
    try:
        return device_of(name)
    except InvalidDevice as error:
        raise ValueError(error.detail) from None


def translated(error: Exception) -> ServingError:
    """What torch or the model raised, as one of our errors."""
    if not isinstance(error, torch.jit.Error):  # that is the model's own, whatever it says
        problem = device_error(error)
        if problem:
            return problem
        if str(error).startswith(UNTYPED):
            line = explain(error).partition("\n")[0]
            return InvalidInput(
                f"a list or dictionary for Any or a union must tell its type: {line}"
            )
    return InferenceFailed(explain(error))

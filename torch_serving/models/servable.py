"""A loaded model: bytes -> inputs -> outputs -> bytes."""

import re
import threading
import time
from typing import Any

import torch

from torch_serving.codecs.arrays import array_of, from_array_to, from_bfloat16_to
from torch_serving.codecs.json._decoder import Decoder, ValueFactory
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.codecs.json.images import decode_image
from torch_serving.codecs.signature import tell_methods
from torch_serving.config import ModelConfig
from torch_serving.engine.batcher import Batching
from torch_serving.engine.devices import device_of
from torch_serving.engine.inline_policy import Pace, is_bounded
from torch_serving.errors import (
    DeviceFailed,
    InferenceFailed,
    InvalidDevice,
    InvalidInput,
    InvalidParameter,
    OutOfMemory,
    ServingError,
)
from torch_serving.models.backends.torchscript.enums import EnumMember, envelope_of
from torch_serving.models.backends.torchscript.schema import Enums, signature_of
from torch_serving.models.files import FileStat
from torch_serving.telemetry._counters import MethodCounters, Statistics

Headers = tuple[tuple[str, str], ...]
JSON_HEADERS: Headers = (("content-type", "application/json"),)

PREFIX = b'{"code": 200, "message": "OK", "description": "Success", "result": '
SUFFIX = b"}"

MAX_EXPLANATION = 4000  # characters; TorchScript repeats the source of every frame
UNTYPED = "Tracer cannot infer type"  # what torch says of a list of several types, or of none
BROKEN_DEVICE = "CUDA error: "  # every call after it fails too, until the process ends
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "std::bad_alloc")


class Label:
    """What a model is called. Methods have it instead of their servable: if the two held each
    other, an evicted model would keep its memory until the next run of the garbage collector."""

    __slots__ = ("board_name", "identifier")

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier  # below the model root
        self.board_name = b""


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
        self.label = Label(name)
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
        self._told_methods = tell_methods(module, self.method_names(), enums)

    @property
    def identifier(self) -> str:
        return self.label.identifier

    def method(self, name: str) -> "Method":
        """Return an exported method; raises InvalidParameter if there is none of this name."""
        method = self._methods.get(name)
        if method is None:
            method = self.apart(name)
            if self._statistics is not None:
                method.counters = self._statistics.counters(self.label.board_name, name.encode())
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
            method.counters = statistics.counters(self.label.board_name, name.encode())

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
            "methods": self._told_methods,
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

    answer_headers = JSON_HEADERS

    def __init__(self, servable: Servable, method: Any, enums: Enums) -> None:
        self.signature = signature_of(method.schema, enums)
        self.pace = Pace(is_bounded(method))
        self.counters = MethodCounters()
        self.label = servable.label
        self.weights_dtype = servable.weights_dtype()
        self.name = servable.name
        self.device = servable.device
        settings = servable.settings
        self.batching = Batching(servable.name, settings.max_batch) if settings.batch else None
        self._method = method
        self._paces: dict[str, Pace] = {}
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

    def pace_of(self, form: str) -> Pace:
        """The pace of requests whose bodies and answers have another form."""
        pace = self._paces.get(form)
        if pace is None:
            pace = self._paces[form] = Pace(self.pace.bounded)
        return pace

    def run(self, inputs: list[Any]) -> Any:
        """Call the method.

        Raises InferenceFailed with the model's own message, or OutOfMemory.
        """
        try:
            outputs = self._method(*inputs)
        except Exception as error:
            raise translated(error) from error
        if self.batching is not None and self.batching.state == "unproven":
            self.batching.prove(lambda others: self._method(*others), inputs, outputs)
        return outputs


class InferenceMode(threading.local):
    """Enters inference mode once in each thread that runs models, instead of once per run."""

    entered = False

    def enter(self) -> None:
        if not self.entered:
            self.mode = torch.inference_mode()
            self.mode.__enter__()
            self.entered = True


INFERENCE = InferenceMode()


def device_value(name: str) -> torch.device:
    try:
        return device_of(name)
    except InvalidDevice as error:
        raise ValueError(error.detail) from None


def is_out_of_memory(error: Exception) -> bool:
    """Torch has a class for it only where the device is a GPU."""
    kinds = (torch.cuda.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or any(words in str(error) for words in NO_MEMORY)


def translated(error: Exception) -> ServingError:
    """What torch or the model raised, as one of our errors."""
    if not isinstance(error, torch.jit.Error):  # that is the model's own, whatever it says
        problem = of_device(error)
        if problem:
            return problem
        if str(error).startswith(UNTYPED):
            line = explain(error).partition("\n")[0]
            return InvalidInput(
                f"a list or dictionary for Any or a union must tell its type: {line}"
            )
    return InferenceFailed(explain(error))


def of_device(error: Exception) -> ServingError | None:
    """What a device is short of or in error with; it may tell so in any later call."""
    if is_out_of_memory(error):
        return OutOfMemory("the request needs more memory than the device has left")
    if BROKEN_DEVICE in str(error):
        return DeviceFailed("the device is in error; this server process starts again")
    return None


def explain(error: BaseException) -> str:
    """What a foreign error says, without directories of this or another machine and C++ frames."""
    text = str(error).partition("\nException raised from")[0].strip()
    text = re.sub(r"(?<![\w.])/(?:[^\s\"'/:]+/)+", "", text)
    return text[:MAX_EXPLANATION] or type(error).__name__

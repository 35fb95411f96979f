"""A loaded model: bytes -> inputs -> outputs -> bytes."""

import functools
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from torch_serving.codecs.arrays import to_array, to_numpy
from torch_serving.codecs.interfaces import JSON_HEADERS, Body, PixelForm
from torch_serving.codecs.json._decoder import Decoder
from torch_serving.codecs.json._encoder import Encoder
from torch_serving.codecs.signature import Signature, SignatureData
from torch_serving.codecs.symbols import Check, argument_check
from torch_serving.engine.accelerator import accelerator_of
from torch_serving.engine.batch_tensors import TENSORS, is_close
from torch_serving.engine.batcher import UNVALIDATED, Batcher
from torch_serving.engine.cuda_graphs import GraphCache
from torch_serving.engine.device_method import DeviceMethod
from torch_serving.engine.guarded_runs import on_card, one_at_a_time, with_gradients
from torch_serving.engine.inline_policy import DecodePolicy, InlinePolicy
from torch_serving.engine.precision import with_tf32
from torch_serving.engine.random_numbers import with_random_numbers
from torch_serving.errors import InvalidParameter, InvalidServable
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.interfaces import Program, ProgramMethod
from torch_serving.models.declarations import declared_signatures
from torch_serving.models.files import FileStat, SidecarStats, Sources
from torch_serving.models.identifiers import shared_name, utf8
from torch_serving.models.value_factory import value_factory
from torch_serving.telemetry._counters import MethodCounters, Statistics

PREFIX = b'{"code": 200, "message": "OK", "description": "Success", "result": '
SUFFIX = b"}"
DEFAULT_CONFIG = ModelConfig()
# A longer signature is not shared with other workers: their shared memory is limited.
MAX_SHARED_BYTES = 8192


class ModelSource(NamedTuple):
    """The files that a servable is loaded from."""

    identifier: str
    file: FileStat | None = None
    sidecars: SidecarStats = ()
    digest: str | None = None  # the SHA-256 that the file must have
    as_copy: bool = False  # whether a copy of the file is checked and loaded


UNNAMED = ModelSource("model")


class Servable:
    """A program on one device, and its methods. Safe to use from any thread.

    `version` is a name for the contents of the file.
    Raises InvalidServable if its main method takes what no request can hold, or if its
    configuration declares what is not there.
    """

    def __init__(
        self,
        program: Program,
        device: torch.device,
        config: ModelConfig = DEFAULT_CONFIG,
        source: ModelSource = UNNAMED,
        version: str = "",
        statistics: Statistics | None = None,
    ) -> None:
        self.program = program
        self.device = device
        self.config = config
        self.identifier = source.identifier
        self.file = source.file
        self.sidecars = source.sidecars
        self.version = version
        self.refused: Sources | None = None  # newer files that could not be loaded
        self.look_again_s = 0.0  # when, on the monotonic clock, if its file is being written
        self.warning = ""  # why an older version is still served
        self.examples: dict[str, Any] | None = None  # by method; None: not looked for yet
        self.loaded_s = time.time()
        self.state = state_of(program, config)
        self.lock = threading.Lock() if self.state else None  # of runs that write its state
        self._statistics = statistics
        self._program_methods = program.methods()
        self.main_name = main_name_of(self._program_methods)
        self._methods: dict[str, Method] = {}
        self._bytes = program.weight_bytes
        self.signatures = declared_signatures(program, config, self.main_name)
        self.main_method()
        self._shared_signatures = shared_signatures(self.signatures)

    @property
    def uses_tf32(self) -> bool:
        """Whether float32 results may be as imprecise as TF32, which only cards have."""
        return self.config.tf32 and self.device.type == "cuda"

    def method(self, name: str) -> "Method":
        """Return an exported method; raises InvalidParameter if there is none of this name."""
        method = self._methods.get(name)
        if method is None:
            method = self._make_method(name)
            if self._statistics is not None:
                method.counters = self._counters(self._statistics, name)
            self._methods[name] = method
        return method

    def main_method(self) -> "Method":
        return self.method(self.main_name)

    def _make_method(self, name: str) -> "Method":
        method = self._program_methods.get(name)
        if method is None:
            names = ", ".join(self.method_names())
            if name == "forward":
                raise InvalidParameter(f"the model has no `forward`; give `method`: {names}")
            raise InvalidParameter(f"`method`: the model has {names}; got `{name[:40]}`")
        # one that no request can call is described with what it takes
        return Method(self, method, self.signatures.get(name) or method.signature)

    def count_in(self, statistics: Statistics) -> None:
        """Count the requests to its methods in `statistics` from now on."""
        self._statistics = statistics
        for name, method in list(self._methods.items()):
            method.counters = self._counters(statistics, name)

    def _counters(self, statistics: Statistics, method: str) -> MethodCounters:
        return statistics.counters(utf8(shared_name(self.identifier)), method.encode())

    def bytes(self) -> int:
        """The memory that its weights and buffers take on its device."""
        return self._bytes

    def entry(self) -> dict[str, Any]:
        """Its entry in the list of loaded models."""
        return {
            "identifier": self.identifier,
            "device": str(self.device),
            "bytes": self.bytes(),
            "version": self.version,
            "loaded_s": self.loaded_s,
            "warning": self.warning,
            "runs": self.program.runs,
            "methods": self._shared_signatures,
            "examples": self.examples or {},
        }

    def newest_tried(self) -> FileStat | None:
        """The newest file that a load was tried with: its own, unless a newer one was bad."""
        return self.refused.file if self.refused else self.file

    def is_current(self, sources: Sources) -> bool:
        """Whether a model's file is the one of this servable, or was refused with all beside it."""
        return sources == self.refused if self.refused else sources.file == self.file

    def is_newest(self, sources: Sources) -> bool:
        """Whether the files beside the model are those, too."""
        return self.is_current(sources) and (
            self.refused is not None or sources.sidecars == self.sidecars
        )

    def weights_dtype(self) -> torch.dtype | None:
        """The data type of the first floating-point weights: inputs usually have it."""
        dtypes = (weight.dtype for weight in self.program.parameters())
        return next((dtype for dtype in dtypes if dtype.is_floating_point), None)

    def method_names(self) -> list[str]:
        return list(self._program_methods)


class Method:
    """One method of a servable: body -> inputs -> outputs -> response."""

    headers = JSON_HEADERS
    pixels: PixelForm | None = None

    # By name: if methods held their servable, which holds them, an evicted model would keep its
    # memory until the next run of the garbage collector.
    model: str

    def __init__(self, servable: Servable, method: ProgramMethod, signature: Signature) -> None:
        self.signature = signature
        self.counters = MethodCounters()
        self.model = servable.identifier
        self.platform = servable.program.platform
        self.weights_dtype = servable.weights_dtype()
        self.device = servable.device
        config = servable.config
        self.batcher = batcher_of(servable, method)
        self.translate = method.translate
        # whoever has to wait for its turn must not be the event loop
        waits = servable.state or method.draws or method.seeds
        is_bounded = method.bounded_by_shapes and not waits
        self.inline = InlinePolicy(is_bounded)
        self.device_method: DeviceMethod | None = None
        self._run = guarded_run(servable, method)
        accelerator = accelerator_of(self.device)
        if accelerator is not None:
            run = with_tf32(self._run, config.tf32)
            graphs = None
            if config.graphs and method.can_be_captured and not (servable.state or config.grad):
                same = functools.partial(is_close, tf32=servable.uses_tf32)
                graphs = GraphCache(self.model, run, accelerator, same)
            self.device_method = DeviceMethod(run, accelerator, self.batcher, graphs)
            self.inline = DecodePolicy(is_bounded)
            self._run = self.device_method.run
        self.make_enum = method.make_enum
        self._inline_for: dict[str, InlinePolicy] = {}
        # plain attributes: a method of Python around them would add a frame to each request
        self.decode = Decoder(signature.arguments, value_factory(method)).decode
        self.check = argument_check(signature)
        if self.check is not None:
            self.decode = functools.partial(decode_and_check, self.decode, self.check)
        kind, array_of = (TENSORS, to_array) if method.takes_arrays else (torch.Tensor, to_numpy)
        encoder = Encoder(kind, array_of, PREFIX, SUFFIX, method.to_envelope, signature.result)
        self.encode, self.encode_plain = encoder.encode, encoder.encode_plain
        self.to_envelope = method.to_envelope

    def inline_for(self, media_types: str) -> InlinePolicy:
        """The policy for requests whose bodies and responses have other media types."""
        policy = self._inline_for.get(media_types)
        if policy is None:
            policy = type(self.inline)(self.inline.bounded)
            self._inline_for[media_types] = policy
        return policy

    def run(self, inputs: list[Any]) -> Any:
        """Call the method, and wait for its outputs. Tensors are in host memory.

        Raises InferenceFailed with the model's own message, or OutOfMemory.
        """
        try:
            outputs = self._run(*inputs)
        except Exception as error:
            raise self.translate(error) from error
        if self.batcher is not None and self.batcher.state is UNVALIDATED:
            self.batcher.validate(lambda others: self._run(*others), inputs, outputs)
        return outputs


def main_name_of(methods: Iterable[str]) -> str:
    """The name of the method that warm-up requests are for: `forward`, or the first one."""
    names = list(methods)
    return "forward" if "forward" in names else names[0]


def state_of(program: Program, config: ModelConfig) -> str:
    """What a program keeps from one run to the next, in words; empty if it keeps nothing."""
    if config.stateful is None:
        return program.state
    return (program.state or "its configuration says so") if config.stateful else ""


def batcher_of(servable: Servable, method: ProgramMethod) -> Batcher | None:
    """What lets requests run together; None: they never do."""
    config, program = servable.config, servable.program
    if config.batch and program.unbatched:
        toml = Path(servable.identifier).with_suffix(".toml").name
        raise InvalidServable(f"{toml}: `batch`: its rows can't run as one: {program.unbatched}")
    told = config.batch_by_flag or program.max_batch is not None
    if not (told if config.batch is None else config.batch) or servable.state or program.unbatched:
        return None
    batcher = Batcher(servable.identifier, config.max_batch, servable.uses_tf32, program.max_batch)
    if method.branches_on_values:
        batcher.turn_off("one request's numbers would choose what is done with all")
    return batcher


def guarded_run(servable: Servable, method: ProgramMethod) -> Callable[..., Any]:
    """The method itself, unless it needs more than its arguments."""
    run = method.run
    if servable.device.type == "cuda":
        run = on_card(run, servable.device, method.forks, servable.lock is not None)
    wanted = servable.config.grad
    if method.differentiates if wanted is None else wanted:
        run = with_gradients(run)
    if method.draws or method.seeds:
        run = with_random_numbers(run, method.seeds)
    return run if servable.lock is None else one_at_a_time(run, servable.lock)


def decode_and_check(decode: Callable[[Body], list[Any]], check: Check, body: Body) -> list[Any]:
    values = decode(body)
    check(values)
    return values


def shared_signatures(signatures: Mapping[str, Signature]) -> dict[str, SignatureData]:
    """The signatures as data, but for long ones."""
    found = {name: signature.to_dict() for name, signature in signatures.items()}
    return {name: data for name, data in found.items() if len(json.dumps(data)) <= MAX_SHARED_BYTES}

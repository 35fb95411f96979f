"""A loaded model: bytes -> inputs -> outputs -> bytes."""

import functools
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torch_serving._decoder import Decoder, Makers
from torch_serving._encoder import Encoder
from torch_serving.devices import device_of
from torch_serving.errors import (
    InferenceFailed,
    InvalidDevice,
    InvalidInput,
    InvalidParameter,
    InvalidServable,
    UnsupportedResult,
)
from torch_serving.images import decode_image
from torch_serving.schema import Enums, signature_of
from torch_serving.script_types import EnumMember, enum_members, envelope_of, install_stand_ins

Identity = tuple[int, ...]  # of a file: models.identity_of

PREFIX = b'{"code": 200, "message": "OK", "description": "Success", "result": '
SUFFIX = b"}"

# A run that takes no longer may hold up the event loop.
SHORT_S = 0.001
# The first runs of a method are slower: TorchScript profiles and specialises.
WARM_UP_RUNS = 3
BFLOAT16 = np.dtype((np.void, 2))  # as the encoder knows it
MAX_EXPLANATION = 4000  # characters; TorchScript repeats the source of every frame
# Where the time of a run may depend on more than the shapes of its inputs.
UNBOUNDED = (
    "prim::Loop", "prim::tolist", "aten::item", "aten::Int", "aten::Float", "aten::Complex",
    "aten::IntImplicit", "aten::FloatImplicit", "aten::ComplexImplicit", "aten::ScalarImplicit",
)  # fmt: skip
SIZED_BY_VALUES = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output}
UNTYPED = "Tracer cannot infer type"  # what torch says of a list of several types, or of none
MAX_SHORT_SHAPES = 256
Shapes = tuple[torch.Size, ...]


class Servable:
    """A TorchScript module on one device, and its methods. Safe to use from any thread.

    `identity` tells the file that it was loaded from apart from any other (models.identity_of).
    """

    def __init__(
        self,
        module: torch.jit.ScriptModule,
        device: torch.device,
        identity: Identity = (),
        enums: Enums = dict,
    ) -> None:
        self.identity = identity
        self.device = device
        self.module = module
        self._enums = enums
        self._methods: dict[str, Method] = {}
        self.forward = self.method("forward")

    def method(self, name: str) -> "Method":
        """Return an exported method; raises InvalidParameter if there is none of this name."""
        method = self._methods.get(name)
        if method is None:
            names = self.method_names()
            if name not in names:
                raise InvalidParameter(
                    f"`method`: the model has {', '.join(names)}; got `{name[:40]}`"
                )
            # by attribute, torch.nn.Module's own `half` or `train` would be found
            exported = self.module._c._get_method(name)
            method = self._methods[name] = Method(self, exported, self._enums)
        return method

    def method_names(self) -> list[str]:
        names: list[str] = self.module._c._method_names()
        return [name for name in names if not name.startswith("_")]


class Method:
    """One method of a servable: body -> inputs -> outputs -> response."""

    def __init__(self, servable: Servable, method: Any, enums: Enums) -> None:
        self.signature = signature_of(method.schema, enums)
        self.pace = Pace(is_bounded(method))
        self._method = method
        make = Makers(
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

    def run(self, inputs: list[Any]) -> Any:
        """Call the method. Raises InferenceFailed with the model's own message."""
        try:
            return self._method(*inputs)
        except Exception as error:
            if str(error).startswith(UNTYPED):
                line = explain(error).partition("\n")[0]
                raise InvalidInput(
                    f"a list or dictionary for Any or a union must tell its type: {line}"
                ) from error
            raise InferenceFailed(explain(error)) from error


class Pace:
    """Which requests are known to be short, from the run times of those before.

    Known are sizes of bodies and shapes of inputs: requests with both took at most SHORT_S. One
    that takes longer ends that for its shapes, until a run in a lane proves it again. An update
    lost between threads costs one such round at most.
    """

    def __init__(self, bounded: bool) -> None:
        self._bounded = bounded
        self._runs = 0
        self._short_bytes = -1
        self._short_shapes: dict[Shapes, None] = {}  # the oldest first

    def may_be_short(self, body_bytes: int) -> bool:
        """Whether a body is worth decoding to see if the request is short."""
        return body_bytes <= self._short_bytes

    def is_short(self, inputs: list[Any]) -> bool:
        return shapes_of(inputs) in self._short_shapes

    def record(self, body_bytes: int, inputs: list[Any], elapsed_s: float) -> None:
        self._runs += 1
        if not self._bounded or self._runs <= WARM_UP_RUNS:
            return
        shapes = shapes_of(inputs)
        if shapes is None:
            return
        if elapsed_s > SHORT_S:
            self._short_shapes.pop(shapes, None)
        elif shapes not in self._short_shapes:
            if len(self._short_shapes) >= MAX_SHORT_SHAPES:
                self._short_shapes.pop(next(iter(self._short_shapes)), None)
            self._short_shapes[shapes] = None
            self._short_bytes = max(self._short_bytes, body_bytes)


def shapes_of(inputs: list[Any]) -> Shapes | None:
    """The shapes of tensors; None for inputs that are anything else."""
    try:
        return tuple([tensor.shape for tensor in inputs])
    except AttributeError:
        return None


class InferenceMode(threading.local):
    """Enters inference mode once in each thread that runs models, instead of once per run."""

    entered = False

    def enter(self) -> None:
        if not self.entered:
            self.mode = torch.inference_mode()
            self.mode.__enter__()
            self.entered = True


INFERENCE = InferenceMode()


def load(path: Path, device: torch.device, identity: Identity = ()) -> Servable:
    """Load a TorchScript archive onto a device, for inference.

    Raises InvalidServable if it is none, or if its `forward` takes what no request can hold.
    """
    install_stand_ins()
    try:
        module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    except Exception as error:
        reason = explain(error).partition("\n")[0]
        raise InvalidServable(
            f"not a TorchScript archive that can be loaded here ({reason}); "
            "models are saved with torch.jit.save"
        ) from error
    if not hasattr(module, "forward"):
        raise InvalidServable("the module has no method `forward`")
    enums = functools.cache(lambda: enum_members(path))
    return Servable(module.eval(), device, identity, enums)


def is_bounded(method: Any) -> bool:
    """Whether the shapes of a request's tensors bound the time that a method takes.

    So it is if it takes nothing but tensors, has no loops, makes no numbers of tensors, and no
    operator in it has a result whose size depends on values (torch tags those).
    """
    if any(argument.type.kind() != "TensorType" for argument in method.schema.arguments[1:]):
        return False
    graph = method.inlined_graph
    return all(is_sized_by_shapes(kind) for kind in set(kinds_in(graph)))


def kinds_in(block: Any) -> Iterator[str]:
    """The kinds of all operators in a graph or a block of it."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from kinds_in(inner)


@functools.lru_cache(maxsize=4096)
def is_sized_by_shapes(kind: str) -> bool:
    namespace, _, name = kind.partition("::")
    if kind in UNBOUNDED or namespace not in ("aten", "prim"):
        return False
    operator = getattr(torch.ops.aten, name, None) if namespace == "aten" else None
    overloads = operator.overloads() if operator else []
    return not any(SIZED_BY_VALUES & set(getattr(operator, each).tags) for each in overloads)


def from_array_to(device: torch.device) -> Any:
    """How a numpy array becomes a tensor there: on the CPU, without a copy."""
    if device.type == "cpu":
        return torch.from_numpy
    return lambda array: torch.from_numpy(array).to(device)


def from_bfloat16_to(device: torch.device) -> Any:
    """The same for the bits of bfloat16, which numpy does not have."""
    return lambda array: torch.from_numpy(array).view(torch.bfloat16).to(device)


def device_value(name: str) -> torch.device:
    try:
        return device_of(name)
    except InvalidDevice as error:
        raise ValueError(error.detail) from None


def array_of(tensor: torch.Tensor) -> NDArray[Any]:
    """The values of a tensor, wherever and however it lies, as a C-contiguous array."""
    try:
        array: NDArray[Any] = tensor.numpy()  # shares the memory, of most outputs
    except (TypeError, RuntimeError):
        array = copy_of(tensor)
    # ascontiguousarray would give a 0-d array one dimension
    return array if array.flags.c_contiguous else np.array(array, order="C")


def copy_of(tensor: torch.Tensor) -> NDArray[Any]:
    if tensor.is_quantized or tensor.layout != torch.strided:
        kind = "quantized" if tensor.is_quantized else "sparse"
        raise UnsupportedResult(f"a {kind} tensor has no JSON form; return a dense one")
    if tensor.dtype == torch.bfloat16:
        return copy_of(tensor.contiguous().view(torch.uint16)).view(BFLOAT16)
    try:
        return tensor.numpy(force=True)
    except TypeError:
        raise UnsupportedResult(f"a tensor of {tensor.dtype} has no JSON form") from None


def explain(error: BaseException) -> str:
    """What a foreign error says, without directories of this or another machine and C++ frames."""
    text = str(error).partition("\nException raised from")[0].strip()
    text = re.sub(r"(?<![\w.])/(?:[^\s\"'/:]+/)+", "", text)
    return text[:MAX_EXPLANATION] or type(error).__name__

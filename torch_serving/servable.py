"""A loaded model: bytes -> inputs -> outputs -> bytes."""

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torch_serving._decoder import Decoder
from torch_serving._encoder import Encoder
from torch_serving.errors import InferenceFailed, InvalidServable, UnsupportedResult
from torch_serving.schema import arguments_of

Identity = tuple[int, ...]  # of a file: models.identity_of

PREFIX = b'{"code": 200, "message": "OK", "description": "Success", "result": '
SUFFIX = b"}"

# A run that takes no longer may hold up the event loop.
SHORT_S = 0.001
# The first runs of a method are slower: TorchScript profiles and specialises.
WARM_UP_RUNS = 3
MAX_EXPLANATION = 4000  # characters; TorchScript repeats the source of every frame
# Where the time of a run may depend on more than the sizes of its inputs.
UNBOUNDED = ("prim::Loop", "aten::item", "aten::Int", "aten::IntImplicit", "aten::tolist")


class Servable:
    """A TorchScript module on one device. Safe to use from any thread.

    `identity` tells the file that it was loaded from apart from any other (models.identity_of).
    """

    def __init__(
        self, module: torch.jit.ScriptModule, device: torch.device, identity: Identity = ()
    ) -> None:
        self.identity = identity
        self.device = device
        self.pace = Pace(is_bounded(module))
        method: Any = module.forward
        self._method = method
        arguments = arguments_of(method.schema)
        # body -> arguments of `forward`, and result -> response; no method around them, since
        # each call of Python's is dear when caches are cold
        self.decode = Decoder(arguments, from_array_to(device)).decode
        self.encode = Encoder(torch.Tensor, array_of, PREFIX, SUFFIX).encode

    def run(self, inputs: list[Any]) -> Any:
        """Call `forward`. Raises InferenceFailed with the model's own message."""
        try:
            return self._method(*inputs)
        except Exception as error:
            raise InferenceFailed(explain(error)) from error


class Pace:
    """Which requests are known to be short, from the run times of those before.

    What is known is a size of body: requests up to it took at most SHORT_S each. One that takes
    longer ends that, until a run on a lane proves it again. An update lost between threads costs
    one such round at most.
    """

    def __init__(self, bounded: bool) -> None:
        self._bounded = bounded
        self._runs = 0
        self._short_bytes = -1

    def is_short(self, body_bytes: int) -> bool:
        return body_bytes <= self._short_bytes

    def record(self, body_bytes: int, elapsed_s: float) -> None:
        self._runs += 1
        if elapsed_s > SHORT_S:
            if body_bytes <= self._short_bytes:
                self._short_bytes = -1
        elif self._bounded and self._runs > WARM_UP_RUNS and body_bytes > self._short_bytes:
            self._short_bytes = body_bytes


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
    return Servable(module.eval(), device, identity)


def is_bounded(module: torch.jit.ScriptModule) -> bool:
    """Whether the sizes of a request's tensors bound the time that `forward` takes.

    Without loops and without tensors read as integers, nothing else can; an `int` argument can.
    """
    method: Any = module.forward
    types = [argument.type.annotation_str for argument in method.schema.arguments[1:]]
    if any(re.search(r"\b(int|float|bool|number)\b", spelling) for spelling in types):
        return False
    graph: Any = module.inlined_graph
    return not any(graph.findAllNodes(kind) for kind in UNBOUNDED)


def from_array_to(device: torch.device) -> Any:
    """How a numpy array becomes a tensor there: on the CPU, without a copy."""
    if device.type == "cpu":
        return torch.from_numpy
    return lambda array: torch.from_numpy(array).to(device)


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
    try:
        return tensor.numpy(force=True)
    except TypeError:
        raise UnsupportedResult(f"a tensor of {tensor.dtype} has no JSON form") from None


def explain(error: BaseException) -> str:
    """What a foreign error says, without directories of this or another machine and C++ frames."""
    text = str(error).partition("\nException raised from")[0].strip()
    text = re.sub(r"(?<![\w.])/(?:[^\s\"'/:]+/)+", "", text)
    return text[:MAX_EXPLANATION] or type(error).__name__

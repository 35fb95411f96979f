"""A loaded TorchScript module, as the server sees programs of any kind."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from torch_serving._unlocked_import import unlocked
from torch_serving.codecs.signature import Signature
from torch_serving.engine.device_errors import device_error, explain, trace_of
from torch_serving.engine.placement_errors import placement_error
from torch_serving.engine.request_errors import request_error
from torch_serving.errors import InferenceFailed, InvalidInput, ServingError, UnsupportedResult
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.interfaces import SampleInputs
from torch_serving.models.backends.torchscript.branches import branches_on_values
from torch_serving.models.backends.torchscript.cost import differentiates, forks, is_bounded, waits
from torch_serving.models.backends.torchscript.enums import EnumMember, envelope_of
from torch_serving.models.backends.torchscript.graphs import nodes_in, settled_graphs
from torch_serving.models.backends.torchscript.randomness import draws, seeds
from torch_serving.models.backends.torchscript.schema import NO_ENUMS, Enums, signature_of
from torch_serving.models.backends.torchscript.state import written_state

MAX_SHOWN_BYTES = 40
UNTYPED = "Tracer cannot infer type"  # torch's error for an empty list, or one of several types


def translate(error: Exception) -> ServingError:
    """Translate an error that a run raised."""
    if not isinstance(error, torch.jit.Error):  # that is raised by the model's own code
        problem = device_error(error)
        if problem:
            return problem
        if isinstance(error, UnicodeDecodeError):  # TorchScript's strings are bytes
            return UnsupportedResult(f"a string of the result is not UTF-8: {not_utf8(error)}")
        if str(error).startswith(UNTYPED):
            line = explain(error).partition("\n")[0]
            return InvalidInput(
                f"a list or dictionary for Any or a union must name its type: {line}"
            )
    text = explain(error)
    problem = placement_error(error, text) or request_error(error, text) or InferenceFailed(text)
    problem.trace = trace_of(error)
    return problem


def not_utf8(error: UnicodeDecodeError) -> str:
    return f"{error.object[:MAX_SHOWN_BYTES]!r}, byte {error.start}: {error.reason}"


class TorchScriptMethod:
    """One method of a TorchScript module."""

    takes_arrays = False
    to_envelope = staticmethod(envelope_of)
    translate = staticmethod(translate)

    def __init__(self, method: Any, graph: Any, enums: Enums) -> None:
        self.run = method
        self._enums = enums
        nodes = list(nodes_in(graph))
        self.bounded_by_shapes = is_bounded(method.schema, nodes)
        self.differentiates = differentiates(nodes)
        self.forks = forks(nodes)
        self.seeds = seeds(nodes)
        self.draws = draws(nodes)
        self.branches_on_values = branches_on_values(graph, nodes)
        self.state = written_state(graph, nodes)
        is_pure = not (self.state or self.seeds or self.differentiates or self.forks)
        self.can_be_captured = self.bounded_by_shapes and is_pure and not waits(nodes)

    @functools.cached_property
    def signature(self) -> Signature:
        return signature_of(self.run.schema, self._enums)

    def make_enum(self, type_name: str, member: str) -> EnumMember:
        return EnumMember(member, self._enums[type_name][member])


def shared_dtype(weights: Iterable[torch.Tensor]) -> torch.dtype | None:
    """The data type that all floating-point weights have, or None."""
    dtypes = {weight.dtype for weight in weights if weight.dtype.is_floating_point}
    return dtypes.pop() if len(dtypes) == 1 else None


class TorchScriptProgram:
    """A TorchScript module on one device; `enums` are the members of its enumerations.

    `source` is the program that it was made of: its own weights may be constants. `stored_bytes`
    is the size of the tensors in its file: packed weights, as of quantised models, are no
    parameters.
    """

    platform = "pytorch_libtorch"
    runs = "TorchScript"
    warning = ""
    max_batch: int | None = None
    unbatched = ""
    sample_inputs: SampleInputs | None = None

    def __init__(
        self,
        module: torch.jit.ScriptModule,
        enums: Enums = NO_ENUMS,
        source: "TorchScriptProgram | None" = None,
        stored_bytes: int = 0,
    ) -> None:
        self.module = module
        self._enums = enums
        self._parameters = list(source.described() if source else module.parameters())
        self.plain_dtype: torch.dtype | None = shared_dtype(self._parameters)
        tensors = [*module.parameters(), *module.buffers()]
        least_bytes = source.weight_bytes if source else stored_bytes
        self.weight_bytes: int = max(least_bytes, sum(each.nbytes for each in tensors))

    @property
    def state(self) -> str:
        return next((each.state for each in self.methods().values() if each.state), "")

    def methods(self) -> Mapping[str, TorchScriptMethod]:
        return self._methods

    @functools.cached_property
    def _methods(self) -> Mapping[str, TorchScriptMethod]:
        module = self.module._c
        # by attribute, torch.nn.Module's own `half` or `train` would be found
        found = {name: module._get_method(name) for name in self._method_names()}
        graphs = settled_graphs(module, found)
        return {
            name: TorchScriptMethod(method, graphs[name], self._enums)
            for name, method in found.items()
        }

    def parameters(self) -> Iterable[torch.Tensor]:
        return self._parameters

    def described(self) -> Iterable[torch.Tensor]:
        """Tensors without memory that stand for the weights."""
        return (torch.empty_like(each, device="meta") for each in self._parameters)

    def optimized(self, config: ModelConfig) -> "TorchScriptProgram":
        others = [name for name in self._method_names() if name != "forward"]
        module = unlocked(torch.jit.freeze, self.module, others)
        if config.optimize:
            module = unlocked(torch.jit.optimize_for_inference, module, others)
        return TorchScriptProgram(module, self._enums, self)

    def _method_names(self) -> list[str]:
        names: list[str] = self.module._c._method_names()
        return [name for name in names if not name.startswith("_")]

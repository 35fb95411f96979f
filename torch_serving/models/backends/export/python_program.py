"""An exported program that runs as Python, because its graph can't become TorchScript.

torch reads the graph, which was checked; the tensors are those that this server has read.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

from torch_serving.engine.device_errors import explain
from torch_serving.errors import InvalidServable
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.export.archive.evaluated import graphs_in
from torch_serving.models.backends.export.graph.devices import place_on
from torch_serving.models.backends.export.graph.facts import GraphFacts, facts_of
from torch_serving.models.backends.export.graph.source import (
    MUTATIONS,
    TENSORS,
    StoredTensor,
    is_constant,
)
from torch_serving.models.backends.export.graph.values import Json, member_of
from torch_serving.models.backends.export.program import METHOD, bound_run, translated
from torch_serving.models.backends.export.signature.signature import ProgramSignature
from torch_serving.models.backends.torchscript.enums import envelope_of
from torch_serving.models.backends.torchscript.program import shared_dtype

RUNS = "exported program, in Python: {}"
INPUT = object()  # stands where a request's value comes
MAX_REASON = 300  # characters
NOT_OPTIMIZED = "a program that runs as Python can't be frozen"
LOAD_LOCK = threading.Lock()  # torch reads one program at a time

Run = Callable[..., Any]
Tensors = Mapping[str, torch.Tensor]  # by the name of the graph's input
Stored = Mapping[str, StoredTensor]


class PythonMethod:
    """The one method of such a program."""

    bounded_by_shapes = False
    differentiates = False
    forks = False
    seeds = False
    can_be_captured = False
    takes_arrays = False
    to_envelope = staticmethod(envelope_of)
    translate = staticmethod(translated)

    def __init__(self, run: Run, called: ProgramSignature, facts: GraphFacts) -> None:
        self.run = bound_run(run, called)
        self.signature = called.signature
        self.draws = facts.draws
        self.branches_on_values = facts.branches_on_values
        self.state = f"`{facts.written}`" if facts.written else ""

    def make_enum(self, type_name: str, member: str) -> Any:
        raise KeyError(type_name)  # no signature of a program has one


class PythonProgram:
    """Such a program on one device. `reason` says why it runs so."""

    platform = "pytorch_libtorch"
    warning = ""

    def __init__(
        self,
        method: PythonMethod,
        called: ProgramSignature,
        parameters: Iterable[torch.Tensor],
        weight_bytes: int,
        reason: str,
    ) -> None:
        self.runs = RUNS.format(reason)
        self.max_batch = called.max_batch
        self.unbatched = called.unbatched
        self.sample_inputs = called.sample_inputs
        self.weight_bytes = weight_bytes
        self._parameters = list(parameters)
        self.plain_dtype = shared_dtype(self._parameters)
        self._methods = {METHOD: method}

    @property
    def state(self) -> str:
        return self._methods[METHOD].state

    def methods(self) -> Mapping[str, PythonMethod]:
        return self._methods

    def parameters(self) -> Iterable[torch.Tensor]:
        return self._parameters

    def optimized(self, config: ModelConfig) -> "PythonProgram":
        raise InvalidServable(NOT_OPTIMIZED)


def python_method(
    document: Json,
    called: ProgramSignature,
    stored: Stored,
    tensors: Tensors,
    device: torch.device,
) -> PythonMethod:
    """Let torch read a graph that was checked. Raises InvalidServable."""
    facts = facts_of(document, {name: each.name for name, each in stored.items()})
    try:
        with LOAD_LOCK:
            forward = read_graph(document, stored, tensors, device)
        run = run_of(document, forward, tensors)
    except Exception as error:
        raise InvalidServable(f"its program can't be loaded here ({reason_of(error)})") from error
    return PythonMethod(run, called, facts)


def reason_of(error: BaseException) -> str:
    """What led to an error; torch puts a whole node before that, with all its text."""
    while error.__cause__ is not None:
        error = error.__cause__
    reason = explain(error).partition("\n")[0][:MAX_REASON]
    return f"{type(error).__name__}: {reason}" if isinstance(error, LookupError) else reason


def read_graph(document: Json, stored: Stored, tensors: Tensors, device: torch.device) -> Run:
    # they take a second, and most servers never need them
    from torch._export.serde import schema, serialize
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.graph_module import _loader

    weights: dict[str, torch.Tensor] = {}
    constants = {}
    for name, each in stored.items():
        tensor = tensors[name]
        if each.kind == "parameter":
            weights[each.name] = torch.nn.Parameter(tensor, requires_grad=tensor.requires_grad)
        elif each.is_persistent and each.kind == "buffer":
            weights[each.name] = tensor
        else:
            constants[each.name] = tensor
    for graph in graphs_in(document["graph_module"]["graph"]):
        for node in graph["nodes"]:
            node["metadata"] = {}  # where the exporter's code stood, which torch parses
    place_on(document, device)  # what torch's own pass moves goes on running its old code
    read: Any = serialize
    program = read._dict_to_dataclass(schema.ExportedProgram, document)
    try:
        exported = read.ExportedProgramDeserializer().deserialize(program, weights, constants)
        run: Run = exported.graph_module.forward
    finally:  # torch remembers parts of every program that it reads
        FakeTensorMode.cache_clear()
        _loader.eval_cache.clear()
    return run


def run_of(document: Json, forward: Run, tensors: Tensors) -> Run:
    """A run that takes what a request brings, and returns what the program is asked for."""
    graph, signature = (document["graph_module"][name] for name in ("graph", "signature"))
    slots, places = slots_of(signature["input_specs"], tensors)
    writes, results = [], []
    specs = map(member_of, signature["output_specs"])
    for index, ((kind, value), output) in enumerate(zip(specs, graph["outputs"], strict=True)):
        if kind in MUTATIONS:
            writes.append((places[value[MUTATIONS[kind]]], index))
        elif kind == "user_output" and not is_constant(output):
            results.append(index)

    def run(*inputs: Any) -> Any:
        values = iter(inputs)
        arguments = [next(values) if slot is INPUT else slot for slot in slots]
        outputs = forward(*arguments)
        for place, index in writes:
            arguments[place].copy_(outputs[index])
        found = [outputs[index] for index in results]
        return found[0] if len(found) == 1 else tuple(found)

    return run


def slots_of(specs: Sequence[Json], tensors: Tensors) -> tuple[list[Any], dict[str, int]]:
    """What each input of a graph is, and its place by name."""
    slots: list[Any] = []
    places = {}
    for index, (kind, value) in enumerate(map(member_of, specs)):
        if kind in TENSORS:
            slots.append(tensors[value["arg"]["name"]])
            places[value[TENSORS[kind]]] = index
        elif kind == "constant_input":
            slots.append(constant(value["value"]))
        elif kind == "token":
            slots.append(torch.empty(0))
        else:
            slots.append(INPUT)
            inner = member_of(value["arg"])[1]
            places[inner.get("name") or inner.get("as_name")] = index
    return slots, places


def constant(value: Json) -> Any:
    kind, inner = member_of(value)
    return None if kind == "as_none" else inner

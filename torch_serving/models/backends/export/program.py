"""An exported program that runs as TorchScript, as the server sees programs of any kind."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from torch_serving.errors import InferenceFailed, InvalidInput, ServingError
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.export.signature.signature import ProgramSignature
from torch_serving.models.backends.torchscript.program import (
    TorchScriptMethod,
    TorchScriptProgram,
    shared_dtype,
    translate,
)

RUNS = "exported program, in TorchScript"
METHOD = "forward"
# What torch.export says where the numbers of a request are none that a program runs with.
ASSERTED = "Runtime assertion failed"
LOOP = "prim::Loop"


def has_loop(method: Any) -> bool:
    return method.graph.findNode(LOOP, True) is not None


def translated(error: Exception) -> ServingError:
    """Translate an error that a run raised, also where the program itself refuses the numbers."""
    if isinstance(error, ServingError):  # of the arguments, before anything ran
        return error
    problem = translate(error)
    if isinstance(problem, InferenceFailed) and ASSERTED in problem.detail:
        return InvalidInput(problem.detail[problem.detail.index(ASSERTED) :])
    return problem


def bound_run(run: Callable[..., Any], called: ProgramSignature) -> Callable[..., Any]:
    """A run that takes the arguments of the signature, and gives its result."""
    flatten, restore = called.flatten, called.restore
    if flatten is None and restore is None:
        return run
    if restore is None:
        return lambda *arguments: run(*flatten(arguments))  # type: ignore[misc]
    if flatten is None:
        return lambda *arguments: restore(run(*arguments))
    return lambda *arguments: restore(run(*flatten(arguments)))


class ExportedMethod:
    """The one method of an exported program: TorchScript's, in the words of the program.

    `names` are those that the file has for attributes of the module.
    """

    translate = staticmethod(translated)

    takes_arrays = False

    def __init__(
        self, method: TorchScriptMethod, called: ProgramSignature, names: Mapping[str, str]
    ) -> None:
        self.run = bound_run(method.run, called)
        self.signature = called.signature
        self.bounded_by_shapes = method.bounded_by_shapes
        self.differentiates = method.differentiates
        self.forks = method.forks
        self.draws = method.draws
        self.seeds = method.seeds
        # a loop of a program goes on as long as numbers in tensors say
        self.branches_on_values = method.branches_on_values or has_loop(method.run)
        self.can_be_captured = method.can_be_captured
        attribute = method.state.strip("`")
        self.state = f"`{names[attribute]}`" if attribute in names else method.state
        self.make_enum = method.make_enum
        self.to_envelope = method.to_envelope


class ExportedProgram:
    """An exported program on one device, whose graph became TorchScript.

    `weights` are its parameters; tensors on `meta` stand for those that became constants.
    """

    platform = "pytorch_libtorch"
    runs = RUNS
    warning = ""

    def __init__(
        self,
        script: TorchScriptProgram,
        called: ProgramSignature,
        names: Mapping[str, str],
        parameters: Iterable[torch.Tensor],
        weight_bytes: int,
    ) -> None:
        self._script = script
        self._called = called
        self._names = names
        self._parameters = list(parameters)
        self.weight_bytes = weight_bytes
        self.max_batch = called.max_batch
        self.unbatched = called.unbatched
        self.sample_inputs = called.sample_inputs
        self.plain_dtype = shared_dtype(self._parameters)
        method = script.methods()[METHOD]
        self._methods = {METHOD: ExportedMethod(method, called, names)}

    @property
    def state(self) -> str:
        return self._methods[METHOD].state

    def methods(self) -> Mapping[str, ExportedMethod]:
        return self._methods

    def parameters(self) -> Iterable[torch.Tensor]:
        return self._parameters

    def optimized(self, config: ModelConfig) -> "ExportedProgram":
        described = [torch.empty_like(each, device="meta") for each in self._parameters]
        script = self._script.optimized(config)
        return ExportedProgram(script, self._called, self._names, described, self.weight_bytes)

"""A package of AOTInductor on one device, as the server sees programs of any kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from torch_serving.errors import InvalidInput
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.export.package import calls, errors
from torch_serving.models.backends.export.package._aoti import Package, PackageError
from torch_serving.models.backends.export.package.calling import AnyPackage, Calling
from torch_serving.models.backends.export.package.layouts import laid_out
from torch_serving.models.backends.torchscript.program import shared_dtype

Run = Callable[..., Any]


class PackageMethod:
    """The only method of a package."""

    differentiates = False
    forks = False
    seeds = False
    can_be_captured = False  # its runners wait for events of the device

    translate = staticmethod(errors.translate)

    def __init__(
        self,
        package: AnyPackage,
        functions: frozenset[str],
        calling: Calling,
        device: torch.device,
    ) -> None:
        """`functions` are those that its library calls."""
        self.run = run_of(package, calling, device)
        self.signature = calling.called.signature
        # what torch's loader runs holds the GIL, and one may have to wait for the only runner
        waits = not isinstance(package, Package) or package.runners == 1
        self.bounded_by_shapes = not waits and calls.is_bounded(functions)
        self.branches_on_values = calls.reads_values(functions)
        self.draws = calls.draws(functions)
        self.takes_arrays = arrays_run(package, calling, device) is not None

    def make_enum(self, type_name: str, member: str) -> Any:
        """Packages take no enumerations."""
        raise KeyError(type_name)

    def to_envelope(self, value: object) -> dict[str, Any] | None:
        """There is none: results are tensors, and trees of them."""
        return None


def run_of(package: AnyPackage, calling: Calling, device: torch.device) -> Run:
    """What takes the arguments of a request, and returns the result."""
    flatten, restore = calling.called.flatten, calling.called.restore
    layouts, live, names = calling.layouts, calling.live, calling.names
    only = live[0] if len(live) == 1 else None
    takes_all = list(live) == list(range(package.outputs))
    run_arrays = arrays_run(package, calling, device)
    take = tuple if takes_all else lambda outputs: tuple([outputs[index] for index in live])

    def run(*arguments: Any) -> Any:
        flat = arguments if flatten is None else flatten(arguments)
        if len(flat) != len(layouts):
            raise InvalidInput(f"the model takes {len(layouts)} tensors, got {len(flat)}")
        try:
            outputs = None if run_arrays is None else run_arrays(flat)
            if outputs is None:
                tensors = [laid_out(*pair, device) for pair in zip(flat, layouts, strict=True)]
                outputs = package.run(tensors, stream_of(device))
        except PackageError as error:
            raise errors.input_error(str(error), names, flat) or error from None
        result: Any = outputs[only] if only is not None else take(outputs)
        return result if restore is None else restore(result)

    return run


def arrays_run(
    package: AnyPackage, calling: Calling, device: torch.device
) -> Callable[[Sequence[Any]], list[Any] | None] | None:
    """What takes arrays as they lie, and gives arrays; None: only tensors can be taken."""
    if isinstance(package, Package) and device.type == "cpu" and not any(calling.layouts):
        return package.run_arrays
    return None


def stream_of(device: torch.device) -> int:
    """The queue of a card's work that a run joins; 0 on the CPU."""
    if device.type != "cuda":
        return 0
    stream: int = torch.cuda.current_stream(device).cuda_stream
    return stream


class PackageProgram:
    """A package that is loaded. Its library is unloaded with it."""

    platform = "torch_aoti"
    warning = ""

    def __init__(
        self,
        package: AnyPackage,
        functions: frozenset[str],
        calling: Calling,
        device: torch.device,
        runs: str,
    ) -> None:
        self.state = calling.state
        self.runs = runs
        self.max_batch = calling.called.max_batch
        self.unbatched = calling.called.unbatched
        self.sample_inputs = calling.called.sample_inputs
        self.weight_bytes = sum(size for _, size in package.constants)
        self._parameters = list(weights_of(package))
        self.plain_dtype = shared_dtype(self._parameters)
        self._methods = {"forward": PackageMethod(package, functions, calling, device)}

    def methods(self) -> Mapping[str, PackageMethod]:
        return self._methods

    def parameters(self) -> Iterable[torch.Tensor]:
        return self._parameters

    def optimized(self, config: ModelConfig) -> "PackageProgram":
        """Compiled programs are as fast as they get."""
        return self


def weights_of(package: AnyPackage) -> Iterator[torch.Tensor]:
    """Tensors without memory that stand for the weights."""
    for number, size in package.constants:
        name = errors.SCALAR_TYPES.get(number)
        if name is not None:
            dtype = getattr(torch, name)
            yield torch.empty(size // dtype.itemsize, dtype=dtype, device="meta")

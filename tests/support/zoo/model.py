"""What a model of the zoo is: a module, its arguments at several sizes, and how it is to run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

BATCH = torch.export.Dim("batch", min=1, max=64)


class Inputs(NamedTuple):
    """The arguments of one call."""

    positional: tuple[Any, ...]
    by_keyword: Mapping[str, Any] = {}

    def call(self, module: Callable[..., Any]) -> Any:
        return module(*self.positional, **self.by_keyword)


@dataclass(frozen=True)
class ZooModel:
    """One model, made from seeds: its weights and arguments are the same in every process."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int], Inputs]  # of a size, which the model may take as its batch
    dynamic_shapes: Any = None
    sizes: tuple[int, ...] = (3,)  # the first one is exported, the others must run as well
    reason: str = ""  # a word of why it runs as Python; empty where it runs as TorchScript
    no_package: str = ""  # why no package can be made of it
    trains: bool = False  # it is exported in training mode
    draws: bool = False  # its results are random
    counts: bool = False  # a run changes the results of later ones
    mixes_rows: bool = False  # its rows belong together, though its shapes look like a batch's
    decomposes: bool = False  # it is exported as core operators
    tolerance: float = 1e-6  # of its package
    imports: tuple[str, ...] = field(default=())  # modules with operators that it needs

    @property
    def is_scripted(self) -> bool:
        return not self.reason

    def module(self) -> nn.Module:
        """A new module with its weights."""
        torch.manual_seed(0)
        return self.build().train(self.trains)

    def arguments(self, size: int | None = None, seed: int = 1) -> Inputs:
        """The arguments of a size; without one, those of the export."""
        torch.manual_seed(seed)
        return self.inputs(self.sizes[0] if size is None else size)

    def eager(self, size: int | None = None, seed: int = 1) -> Any:
        """What the module itself returns, by the operators that an export records."""
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with torch.no_grad():
                return self.arguments(size, seed).call(self.module())
        finally:
            torch.backends.mha.set_fastpath_enabled(True)


def positional(*make: Callable[[int], Any]) -> Callable[[int], Inputs]:
    """Arguments made of the size, one function for each."""
    return lambda size: Inputs(tuple(each(size) for each in make))


def normal(*shape: int) -> Callable[[int], torch.Tensor]:
    """Float numbers, where -1 in the shape stands for the size."""
    return lambda size: torch.randn([size if each == -1 else each for each in shape])


def whole(high: int, *shape: int) -> Callable[[int], torch.Tensor]:
    """Whole numbers from 0, where -1 in the shape stands for the size."""
    return lambda size: torch.randint(high, [size if each == -1 else each for each in shape])

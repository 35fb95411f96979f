"""What the server asks of one kind of model file. A new kind is a folder beside this file."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch

from torch_serving.codecs.signature import Signature
from torch_serving.errors import ServingError
from torch_serving.model_config import ModelConfig
from torch_serving.models.files import OpenFile


class SampleInputs(NamedTuple):
    """Arguments of a call, as its Python had them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class ProgramMethod(Protocol):
    """One method of a program. It holds no reference to the program."""

    # Takes the arguments in the order of the signature. A plain attribute: each request calls it,
    # and a method around it would add a Python frame.
    run: Callable[..., Any]

    @property
    def signature(self) -> Signature:
        """Its arguments and result. Raises InvalidServable for types that no request can hold."""

    @property
    def bounded_by_shapes(self) -> bool:
        """Whether the shapes of the tensors in a request bound the time of a run."""

    @property
    def differentiates(self) -> bool:
        """Whether a run asks for gradients."""

    @property
    def forks(self) -> bool:
        """Whether other threads of torch may run parts of it."""

    @property
    def draws(self) -> bool:
        """Whether a run draws random numbers."""

    @property
    def seeds(self) -> bool:
        """Whether a run sets where the random numbers of the process begin."""

    @property
    def branches_on_values(self) -> bool:
        """Whether the numbers in tensors decide which of several ways a run goes to its result."""

    @property
    def can_be_captured(self) -> bool:
        """Whether a CUDA graph may hold a run: it never waits for the device, nor keeps anything.

        A capture that fails all the same is an error, and then no more is tried.
        """

    @property
    def takes_arrays(self) -> bool:
        """Whether `run` also takes arrays of numpy for tensors, and gives arrays for them."""

    def make_enum(self, type_name: str, member: str) -> Any:
        """Return a member of an enumeration in the signature, as `run` takes it."""

    def to_envelope(self, value: object) -> dict[str, Any] | None:
        """Return the JSON envelope of a result that is neither a tensor nor of a built-in type.

        None if there is no envelope for it.
        """

    def translate(self, error: Exception) -> ServingError:
        """Translate an error that `run` raised."""


class Program(Protocol):
    """A model that is loaded onto a device."""

    @property
    def platform(self) -> str:
        """Its name in metadata of the Open Inference Protocol, as Triton spells it."""

    @property
    def runs(self) -> str:
        """What it runs as, in words, with the reason where another way is faster."""

    @property
    def warning(self) -> str:
        """What its operator must know of how it runs, in words; empty if there is nothing."""

    @property
    def state(self) -> str:
        """What a run may write that later runs see, in words; empty if there is nothing.

        The results of such a program may be views of it.
        """

    @property
    def plain_dtype(self) -> torch.dtype | None:
        """The data type that all floating-point weights have, or None; plain numbers take it."""

    @property
    def max_batch(self) -> int | None:
        """The most rows that may run as one, where the program tells; None: it does not."""

    @property
    def unbatched(self) -> str:
        """Why the rows of several requests can't run as one; empty: the program does not say."""

    @property
    def sample_inputs(self) -> SampleInputs | None:
        """The arguments of a call that works, where the file has them, on the CPU."""

    def methods(self) -> Mapping[str, ProgramMethod]:
        """The methods that requests may name."""

    @property
    def weight_bytes(self) -> int:
        """The memory of its weights and buffers, also where they are constants or packed."""

    def parameters(self) -> Iterable[torch.Tensor]:
        """The weights; tensors on `meta` stand for those that became constants."""

    def optimized(self, config: ModelConfig) -> "Program":
        """Return a faster program, as the configuration wants it. Raises anything if that fails.

        Whoever calls it compares the results.
        """


class Backend(Protocol):
    """One kind of model file. Safe to use from any thread."""

    kind: str  # in words
    suffixes: tuple[str, ...]  # of files of this kind; some are called otherwise
    options: frozenset[str]  # keys of a model's TOML file that only this kind knows

    def recognizes(self, path: Path) -> bool:
        """Whether the contents of a file say, at a glance, that it is of this kind."""

    def verify(self, path: Path) -> str:
        """Read a whole file and return its version, a name for its contents.

        Raises InvalidServable for a file of another kind, or a damaged one.
        """

    def version(self, path: Path) -> str:
        """Return the same version, quickly. Raises InvalidServable for a file of another kind."""

    def load(self, file: OpenFile, device: torch.device) -> Program:
        """Load a file that was verified. Raises InvalidServable, OutOfMemory or Overloaded."""

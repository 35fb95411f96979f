"""What an executor asks of a kind of device: memory, copies, their order, and their times.

A device that works asynchronously does what it is told in the order of a stream; each thread that
tells it something has streams of its own. Nothing is copied in one stream and used in another
without waiting, so copies are made by the thread that runs the method, and by no other.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from torch_serving.engine.cuda_accelerator import CudaAccelerator, Run
from torch_serving.engine.plain_accelerator import PlainAccelerator


class Progress(Protocol):
    """How far one launch has come. The three marks are set in this order."""

    def set_copied(self) -> None:
        """The inputs are there, once the device gets here."""

    def set_run(self) -> None:
        """The method has run, once the device gets here."""

    def set_ended(self) -> None:
        """The outputs are in host memory, once the device gets here."""

    def wait(self) -> None:
        """Wait for the end. Raises what the device raises, of this launch or of another one."""

    def has_ended(self) -> bool:
        """Whether the end was reached. Known without the device, which may have failed since."""

    def seconds(self) -> tuple[float, float]:
        """How long the copies took, and how long the run; after `wait`."""


class Graph(Protocol):
    """A method captured for inputs of one shape. For the thread that captured it."""

    inputs: list[torch.Tensor]  # on the device: a replay reads them
    outputs: Any  # on the device: the next replay overwrites them

    def replay(self) -> None: ...


class Accelerator(Protocol):
    """One device. Any thread may use it, in streams of its own."""

    device: torch.device
    pads: bool  # a size of batches that was not run before takes long

    def enter(self) -> None:
        """Give this thread streams of its own. Raises what the device raises."""

    def host_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """Return memory of the host, uninitialised, that copies are made from."""

    def is_ready(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor in host memory can be copied from as it is."""

    def copy_in(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Start to copy tensors from host memory; what this thread starts next waits for it."""

    def copy_into(self, targets: list[torch.Tensor], tensors: list[torch.Tensor]) -> None:
        """The same, into memory of the device that is there."""

    def copy_out(self, tensor: torch.Tensor) -> torch.Tensor:
        """Start to copy a tensor to host memory, where it is valid once the launch has ended."""

    def begin(self) -> Progress:
        """Begin a launch."""

    def check(self) -> None:
        """Raise what the device raises, if it has failed by now. Waits for nothing."""

    def can_capture(self) -> bool:
        """Whether this thread captures graphs."""

    def capture(self, run: Run, inputs: list[torch.Tensor], pool: Any) -> Graph:
        """Capture a run, without running it. Raises what the method or the device raises."""

    def graph_pool(self) -> Any:
        """Return a handle of memory that graphs share."""


_accelerators: dict[torch.device, Accelerator] = {}


def accelerator_of(device: torch.device) -> Accelerator | None:
    """Return the accelerator of a device; None for the CPU, where threads run methods directly.

    Nothing of the device is touched.
    """
    found = _accelerators.get(device)
    if found is None and device.type != "cpu":
        kind = CudaAccelerator if device.type == "cuda" else PlainAccelerator
        found = _accelerators.setdefault(device, kind(device))
    return found


def set_accelerator(device: torch.device, accelerator: Accelerator | None) -> None:
    """Have methods of a device that are made from now on use this accelerator; None: the usual."""
    if accelerator is None:
        _accelerators.pop(device, None)
    else:
        _accelerators[device] = accelerator

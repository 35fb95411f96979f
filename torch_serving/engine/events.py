"""What the engine reports to the process around it, and asks of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from torch_serving.errors import DeviceFailed

SetRunning = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EngineEvents:
    """Functions that the engine calls.

    `set_running` gets the model that the calling thread runs from now on, "" for none.
    `free_memory` makes room on a device, and returns whether it could.
    `on_fatal` gets the reason why this process can't go on.
    """

    set_running: SetRunning = lambda _: None
    free_memory: Callable[[torch.device], bool] = lambda _: False
    on_fatal: Callable[[str], None] = lambda _: None

    def check_device(self, error: Exception | None) -> None:
        """Report a device in error: all later requests to it would fail."""
        if isinstance(error, DeviceFailed):
            self.on_fatal("a device is in error")

"""What the engine reports to the process around it, and asks of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch_serving.engine.memory import FreeMemory
from torch_serving.errors import DeviceFailed

# why a process can't go on; more may follow, after a colon
HUNG_MODEL = "a model does not end"
DEVICE_ERROR = "a device is in error"
DEAD_THREAD = "a thread has died"
HUNG_LOAD = "the loading of a model does not end"

SetRunning = Callable[[str], None]


class OnFatal(Protocol):
    """Ends this process, which can't go on. Safe to call from any thread, and more than once."""

    def __call__(self, reason: str, guilty: Sequence[str] = (), /) -> None:
        """`guilty` are the models whose work broke it: after a second time they are refused."""


def do_nothing(reason: str, guilty: Sequence[str] = (), /) -> None:
    pass


@dataclass(frozen=True, slots=True)
class EngineEvents:
    """Functions that the engine calls.

    `set_running` gets the model that the calling thread runs from now on, "" for none.
    `free_memory` makes room on a device, for so many bytes if that is known, and returns whether it
    could.
    `on_fatal` gets the reason why this process can't go on, and the models that are to blame.
    """

    set_running: SetRunning = lambda _: None
    free_memory: FreeMemory = lambda device, missing_bytes: False
    on_fatal: OnFatal = do_nothing

    def check_device(self, error: Exception | None, *guilty: str) -> None:
        """Report a device in error: all later requests to it would fail."""
        if isinstance(error, DeviceFailed) and error.lost:
            self.on_fatal(DEVICE_ERROR, guilty)

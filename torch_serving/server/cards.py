"""Cards as the parent may look at them: CUDA does not survive a fork."""

import os

import torch

from torch_serving.errors import StartupError
from torch_serving.server.process import fork

MAX_CARDS = 255  # what an exit code holds


def count_cards_in_child() -> int:
    """How many CUDA cards can be used. A process of its own counts: for that CUDA starts."""
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return 0
    _, status = os.waitpid(fork(usable_cards), 0)
    return max(0, os.waitstatus_to_exitcode(status))


def usable_cards() -> int:
    try:
        return min(torch.cuda.device_count(), MAX_CARDS) if torch.cuda.is_available() else 0
    except Exception:  # a driver that does not work
        return 0


def check_no_cuda() -> None:
    """Raise StartupError if CUDA runs in this process: workers that it forks could not use it."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise StartupError(
            "a model that is preloaded for the CPU uses CUDA: name its device in its TOML file"
        )

"""Cards as the parent may look at them: CUDA does not survive a fork."""

import json
import logging
import os
import select
import warnings
from pathlib import Path
from typing import NamedTuple

import torch

from torch_serving.engine.devices import first_sentence, why_too_old
from torch_serving.errors import StartupError
from torch_serving.server.process import end_with_parent, exit_text, fork

DRIVER = Path("/proc/driver/nvidia/version")  # there with the driver, in most containers, too
SLOW_S = 10.0  # more than cards take that no other process has opened
NOT_BUILT = "it is built without CUDA"
NOTHING_THERE = ("Found no NVIDIA driver", "No CUDA GPUs are available")  # in torch's words

logger = logging.getLogger(__name__)


class Cards(NamedTuple):
    """What torch can use of the cards of this machine, and why no more."""

    usable: list[int]
    left_out: dict[str, str]  # by name
    problem: str = ""  # with all of them

    def notices(self) -> list[str]:
        """What `auto` does not take, and why."""
        lines = [f"--device auto leaves out `{name}`: {why}" for name, why in self.left_out.items()]
        if self.problem:
            lines.append(f"--device auto: torch {torch.__version__} uses no card: {self.problem}")
        return lines

    def are_as_expected(self) -> bool:
        """Whether all is used that there is, or nothing was meant to be."""
        is_usual = not self.problem or self.problem.startswith((*NOTHING_THERE, NOT_BUILT))
        return is_usual and not self.left_out

    def log(self) -> None:
        level = logging.INFO if self.are_as_expected() else logging.WARNING
        for notice in self.notices():
            logger.log(level, "%s", notice)


NO_CARDS = Cards([], {})


def look_in_child() -> Cards:
    """Look at all cards. A process of its own does: for that CUDA starts."""
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return Cards([], {}, NOT_BUILT if DRIVER.exists() else "")
    read_end, write_end = os.pipe()
    parent = os.getpid()
    with open(read_end) as found:
        try:
            pid = fork(lambda: write_cards(write_end, parent))
        finally:
            os.close(write_end)
        if not select.select([found], [], [], SLOW_S)[0]:
            logger.warning("looking for cards: the driver has not answered for %.0f s", SLOW_S)
        text = found.read()
    _, status = os.waitpid(pid, 0)
    if not text:
        code = os.waitstatus_to_exitcode(status)
        return Cards([], {}, f"the process that looked for cards ended with {exit_text(code)}")
    return Cards(*json.loads(text))


def write_cards(descriptor: int, parent: int) -> int:
    end_with_parent(parent)  # a driver may never answer
    os.write(descriptor, json.dumps(look()).encode())
    return 0


def look() -> Cards:
    """Look at all cards in this process."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, in more words
            torch.cuda.init()  # type: ignore[no-untyped-call]
            reasons = [
                why_too_old(torch.device("cuda", index))
                for index in range(torch.cuda.device_count())
            ]
    except Exception as error:  # there is no driver, or one that does not work
        return Cards([], {}, first_sentence(error))
    left_out = {f"cuda:{index}": why for index, why in enumerate(reasons) if why}
    return Cards([index for index, why in enumerate(reasons) if not why], left_out)


def check_no_cuda() -> None:
    """Raise StartupError if CUDA runs in this process: workers that it forks could not use it."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise StartupError(
            "a model that is preloaded for the CPU uses CUDA: name its device in its TOML file"
        )

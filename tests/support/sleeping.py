"""An operator that sleeps, for models whose requests take a while whatever the machine.

Servers import it: `--import tests.support.sleeping`.
"""

import time

import torch

LIBRARY = torch.library.Library("tests", "FRAGMENT")
LIBRARY.define("sleep(Tensor x, float seconds) -> Tensor")


def sleep(x: torch.Tensor, seconds: float) -> torch.Tensor:
    time.sleep(seconds)
    return x + 1


LIBRARY.impl("sleep", sleep, "CPU")


class Sleeping(torch.nn.Module):
    """Sleeps in each request; takes what `Linear` takes."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        found: torch.Tensor = torch.ops.tests.sleep(input, self.seconds)
        return found

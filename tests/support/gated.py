"""An operator that waits until a test lets it go on: requests to its model overlap on any machine.

Servers import it: `--import tests.support.gated`.
"""

from pathlib import Path

import torch

from tests.support.process import wait_until

LIBRARY = torch.library.Library("tests", "FRAGMENT")
LIBRARY.define("wait_for_file(Tensor x, str path) -> Tensor")


def wait_for_file(x: torch.Tensor, path: str) -> torch.Tensor:
    wait_until(Path(path).exists)
    return x + 1


LIBRARY.impl("wait_for_file", wait_for_file, "CPU")


class Gated(torch.nn.Module):
    """Its requests wait until a file exists."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.ops.tests.wait_for_file(x, self.path)
        return found

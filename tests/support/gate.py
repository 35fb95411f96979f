"""An operator that waits for a file, for models whose requests end when a test says so.

Servers import it: `--import tests.support.gate`.
"""

from pathlib import Path

import torch

from tests.support.process import wait_until

LIBRARY = torch.library.Library("tests", "FRAGMENT")
LIBRARY.define("wait_for(Tensor x, str path) -> Tensor")
GATED = ("x: Tensor, path: str", "Tensor", "return torch.ops.tests.wait_for(x, path)")


def wait_for(x: torch.Tensor, path: str) -> torch.Tensor:
    wait_until(Path(path).exists)
    return x.clone()


LIBRARY.impl("wait_for", wait_for, "CPU")

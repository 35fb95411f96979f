"""An operator that waits for a file, for models whose requests end when a test says so.

Servers import it: `--import tests.support.gate`.
"""

import time
from pathlib import Path

import torch

LIBRARY = torch.library.Library("tests", "FRAGMENT")
LIBRARY.define("wait_for(Tensor x, str path) -> Tensor")
GATED = ("x: Tensor, path: str", "Tensor", "return torch.ops.tests.wait_for(x, path)")
LOOK_S = 0.01


def wait_for(x: torch.Tensor, path: str) -> torch.Tensor:
    while not Path(path).exists():
        time.sleep(LOOK_S)
    return x.clone()


LIBRARY.impl("wait_for", wait_for, "CPU")

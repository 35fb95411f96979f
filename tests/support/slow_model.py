"""Requests for slow.pt that take about as long as a test wants."""

import json
import time
from pathlib import Path

import torch

from tests.support.client import scalar, tensor

MEASURED_TURNS = 50_000


def turns_in(seconds: float, root: Path) -> int:
    """How many turns slow.pt makes in so many seconds of a core."""
    module = torch.jit.load(root / "slow.pt")
    x = torch.ones(1)
    for turns in (1000, 1000, MEASURED_TURNS):  # TorchScript has specialised it by the third
        started_s = time.thread_time()
        module(x, turns)
    return int(MEASURED_TURNS * seconds / (time.thread_time() - started_s))


def body_of(turns: int) -> bytes:
    """A request; its response is its tensor."""
    return json.dumps([tensor([1], [2.5]), scalar(turns, "int")]).encode()

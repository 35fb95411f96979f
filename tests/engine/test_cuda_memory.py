"""The memory of a card, for a machine that has one: pytest -m cuda."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.fetch import fetch
from tests.support.process import Process, wait_until
from torch_serving.engine.memory import missing_bytes

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]
MEBIBYTE = 1 << 20
LIMITED = """
import torch
from torch_serving.engine.memory import limit_memory, missing_bytes
device = torch.device("cuda", 0)
limit_memory(device, 1 << 30)
kept = torch.empty(600 << 20, dtype=torch.uint8, device=device)
try:
    torch.empty(600 << 20, dtype=torch.uint8, device=device)
except torch.cuda.OutOfMemoryError as error:
    print(missing_bytes(str(error)) >> 20)
"""

FAILING = """
import os
from unittest.mock import Mock
import torch
from torch_serving.engine.cuda_accelerator import CudaAccelerator
from torch_serving.engine.device_method import DeviceMethod
from torch_serving.engine.flights import Flight, Flights
from torch_serving.engine.job import Job

card = CudaAccelerator(torch.device("cuda", 0))
card.enter()
flights = Flights(card.device, Mock(), lambda jobs: None, Mock())

def flown(run):
    x = torch.full((1 << 15,), 1 << 20)
    launch = DeviceMethod(run, card, None, None).launch([[x]], 0)
    flight = Flight([Job(Mock(), b"")], [0], launch)
    flights.add(flight)
    flights.land(flight)
    flights.hand_on(flight)
    return flight.jobs[0]

jobs = [flown(run) for run in (lambda x: x + 1, lambda x: x * 2, lambda x: x[x])]
print([job.error is None for job in jobs], flights.error is not None, flush=True)
jobs.clear()
os._exit(0)
"""


def test_torch_says_how_much_is_missing():
    with pytest.raises(torch.cuda.OutOfMemoryError) as caught:
        torch.empty(1 << 44, dtype=torch.uint8, device="cuda")
    missing = missing_bytes(str(caught.value))
    assert missing is not None
    assert 1 << 43 < missing <= 1 << 44


@pytest.mark.parametrize("segments", ["expandable_segments:False", "expandable_segments:True"])
def test_a_limit_holds_and_counts_as_what_is_free(segments: str):
    environment = os.environ | {"PYTORCH_ALLOC_CONF": segments, "PYTORCH_CUDA_ALLOC_CONF": segments}
    command = [sys.executable, "-c", LIMITED]
    result = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    assert 130 < int(result.stdout) < 220  # of 1,024 MiB 600 are taken


class Large(torch.nn.Module):
    """256 MiB of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(64 * MEBIBYTE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weights[0]


def gauge(url: str, name: str) -> float:
    found = re.search(rf"torch_serving_device_{name}{{[^}}]*}} (\S+)", fetch(url, "/metrics")[2])
    return float(found[1]) if found else 0.0


def test_a_server_shows_its_memory_and_gives_it_back(tmp_path: Path, start: Callable[..., Process]):
    torch.jit.script(Large()).save(tmp_path / "large.pt")
    url = start(tmp_path, "--port", "0", "--device", "cuda", "--gpu-memory", "1GiB").url
    with Client(url) as client:
        assert client.post("large.pt", [tensor([1], [3.0])]).result["value"] == [3.0]
        wait_until(lambda: gauge(url, "memory_allocated_bytes") >= 256 * MEBIBYTE)
        assert gauge(url, "memory_total_bytes") > gauge(url, "memory_free_bytes") > 0
        [device] = fetch(url, "/models")[2]["devices"]
        assert (device["device"], device["weights_bytes"]) == ("cuda:0", 256 * MEBIBYTE)
        fetch(url, "/models/large.pt", method="DELETE")
        wait_until(lambda: 0 < gauge(url, "memory_reserved_bytes") < 200 * MEBIBYTE)


def test_a_card_in_error_ends_no_process_where_memory_of_copies_was():
    result = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True)
    assert (result.stdout, result.returncode) == ("[True, True, False] True\n", 0), result.stderr

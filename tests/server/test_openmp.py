"""Threads of one operator that wait for each other let others have their core."""

import os
import subprocess
import sys

import pytest

from torch_serving.server.openmp import SETTINGS

CODE = """
import sys
from torch_serving.cli import main as cli
assert "torch" not in sys.modules  # whose OpenMP reads the settings when it is loaded
from torch_serving.server.openmp import spin_briefly
spin_briefly()
import torch
torch.set_num_threads(2)
torch.ones(1000, 1000).sum()
"""


def told_by_openmp(**settings: str) -> str:
    """What GNU's OpenMP says that its settings are."""
    environment = {k: v for k, v in os.environ.items() if k not in SETTINGS}
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE", **settings}
    command = [sys.executable, "-c", CODE]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    if "GOMP_SPINCOUNT" not in result.stderr:
        pytest.skip("torch has another OpenMP")
    return result.stderr


def test_threads_spin_briefly():
    assert "GOMP_SPINCOUNT = '1000'" in told_by_openmp()


@pytest.mark.parametrize(
    ("name", "value", "spins"),
    [("GOMP_SPINCOUNT", "7", "7"), ("OMP_WAIT_POLICY", "passive", "0")],
)
def test_the_operators_settings_are_left_alone(name: str, value: str, spins: str):
    assert f"GOMP_SPINCOUNT = '{spins}'" in told_by_openmp(**{name: value})

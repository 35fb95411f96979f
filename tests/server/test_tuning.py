"""Freed memory is used again for the next body; threads of one operator share their cores."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

from torch_serving.server.nvml import tells_fabrics
from torch_serving.server.tuning import (
    GPU_SETTINGS,
    MALLOC_SETTINGS,
    OPENMP_SETTINGS,
    gpu_settings,
)

FAULTS = """
import resource
from torch_serving.server.tuning import keep_freed_memory
changed = keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for turn in range(20):
    before = faults()
    bytearray(b"x") * 4_000_000
print(changed, faults() - before)
"""
SPINS = """
import sys
from torch_serving.cli import main as cli
assert "torch" not in sys.modules  # whose OpenMP reads the settings when it is loaded
from torch_serving.server.tuning import spin_briefly
spin_briefly()
import torch
torch.set_num_threads(2)
torch.ones(1000, 1000).sum()
"""


def run(
    code: str, settings: tuple[str, ...], **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a process without these settings but for those that are given."""
    inherited = {k: v for k, v in os.environ.items() if k not in settings}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=inherited | environment
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_large_body_after_another_touches_no_new_pages():
    changed, faults = run(FAULTS, MALLOC_SETTINGS).stdout.split()
    assert changed == "True"
    assert int(faults) < 100  # of the 977 pages of the body


def test_the_operators_settings_of_malloc_are_left_alone():
    result = run(FAULTS, MALLOC_SETTINGS, MALLOC_TRIM_THRESHOLD_="1000000")
    assert result.stdout.split()[0] == "False"


def openmp_settings(**environment: str) -> str:
    """The settings that GNU's OpenMP displays."""
    result = run(SPINS, OPENMP_SETTINGS, OMP_DISPLAY_ENV="VERBOSE", **environment)
    if "GOMP_SPINCOUNT" not in result.stderr:
        pytest.skip("torch has another OpenMP")
    return result.stderr


def test_threads_spin_briefly():
    assert "GOMP_SPINCOUNT = '1000'" in openmp_settings()


@pytest.mark.parametrize(
    ("name", "value", "spins"),
    [("GOMP_SPINCOUNT", "7", "7"), ("OMP_WAIT_POLICY", "passive", "0")],
)
def test_the_operators_settings_of_openmp_are_left_alone(name: str, value: str, spins: str):
    assert f"GOMP_SPINCOUNT = '{spins}'" in openmp_settings(**{name: value})


SEGMENTS = """
import os, sys
from torch_serving.cli import main as cli
from torch_serving.server.tuning import GPU_SETTINGS
def serve(*_):
    print({name: os.environ[name] for name in GPU_SETTINGS if name in os.environ})
    return 0
cli.bind = lambda *_: None
sys.modules["torch_serving.server.main"] = type(sys)("main")
sys.modules["torch_serving.server.main"].serve = serve
cli.main(["."])
"""


@pytest.mark.parametrize("settings", [{}, *({name: "backend:native"} for name in GPU_SETTINGS)])
def test_segments_of_gpu_memory_grow_unless_the_operator_has_chosen(settings: dict[str, str]):
    printed = run(SEGMENTS, GPU_SETTINGS, **settings).stdout.strip()
    chosen = gpu_settings(version("torch"), tells_fabrics())
    assert printed == str(settings or {"PYTORCH_ALLOC_CONF": chosen})


@pytest.mark.parametrize(
    ("torch_version", "knows"),
    [
        ("2.13.0", True),
        ("3.0+cu130", True),
        ("2.13.0+xpu", False),
        ("2.11.0+cu130", False),
        ("", False),
    ],
)
def test_a_failed_gpu_does_not_end_the_process_where_torch_can_help_it(
    torch_version: str, knows: bool
):
    ending = ",pinned_free_catch_all:True" if knows else ""
    assert gpu_settings(torch_version, True) == f"expandable_segments:True{ending}"
    assert gpu_settings(torch_version, False) == f"expandable_segments:False{ending}"

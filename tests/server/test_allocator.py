"""Freed memory is used again instead of being fetched from the kernel for each body."""

import os
import platform
import subprocess
import sys

import pytest

from torch_serving.server.allocator import SETTINGS

CODE = """
import resource
from torch_serving.server.allocator import keep_freed_memory
told = keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for turn in range(20):
    before = faults()
    bytearray(b"x") * 4_000_000
print(told, faults() - before)
"""


def run(**settings: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k not in SETTINGS}
    command = [sys.executable, "-c", CODE]
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment | settings
    )
    return result.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_large_body_after_another_touches_no_new_pages():
    told, faults = run()
    assert told == "True"
    assert int(faults) < 100  # of the 977 pages of the body


def test_the_operators_settings_are_left_alone():
    assert run(MALLOC_TRIM_THRESHOLD_="1000000")[0] == "False"

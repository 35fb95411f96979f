"""Settings of the process: the memory allocator, and the threads of OpenMP. Imports no torch.

Memory that was freed stays with the process for a while. By default, glibc gives the memory of a
large body back to the kernel at once, and each page of the next body costs a page fault: together
more than all other work for a body of binary data.

Threads that share one operator spin for a moment where they wait for each other, then sleep. By
default, GNU's OpenMP spins for milliseconds. Where another process has one of the cores, all
threads of an operator then burn theirs until the last one gets its turn, at every operator: a
transformer that takes 4 ms takes up to 460 (docs/decisions has the figures).

Torch's allocator for GPUs keeps blocks of the sizes that were asked for. Where batches have many
sizes, ends of blocks lie idle that no other size fits into; segments that grow have none, but need
NVML. Where a GPU has failed, the allocator of pinned memory ends the process unless it is told not
to.
"""

import ctypes
import os
import re
from importlib.metadata import PackageNotFoundError, version

from torch_serving.server.nvml import tells_fabrics

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGE_BYTES = 16 << 20  # larger blocks go back to the kernel at once
KEPT_BYTES = 32 << 20  # the most that each thread's heap keeps at its end
SPINS = 1000

# Environment variables by which the operator chooses; nothing is changed then.
MALLOC_SETTINGS = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
)
OPENMP_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
# The first is that of torch since 2.9. Older ones read the others, newer ones warn of them.
GPU_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


def keep_freed_memory() -> bool:
    """Raise the thresholds of glibc's malloc; return whether that was done.

    It is not where the operator has chosen, and where the allocator is another one.
    """
    if any(name in os.environ for name in MALLOC_SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))


def spin_briefly() -> None:
    """Limit how long OpenMP spins in this process, unless the operator has chosen.

    Call before torch is imported: its OpenMP reads the variable when it is loaded.
    """
    if not any(name in os.environ for name in OPENMP_SETTINGS):
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)


def set_up_gpu_memory() -> None:
    """Set up torch's allocators, unless the operator has chosen. Before torch is imported."""
    if not any(name in os.environ for name in GPU_SETTINGS):
        try:
            torch_version = version("torch")
        except PackageNotFoundError:
            torch_version = ""
        can_grow = "+rocm" in torch_version or tells_fabrics()
        os.environ[GPU_SETTINGS[0]] = gpu_settings(torch_version, can_grow)


def gpu_settings(torch_version: str, can_grow: bool) -> str:
    """Return what this version of torch knows: it refuses what it does not."""
    settings = f"expandable_segments:{can_grow}"
    number = re.match(r"(\d+)\.(\d+)", torch_version)
    if number and (int(number[1]), int(number[2])) >= (2, 13) and "+xpu" not in torch_version:
        settings += ",pinned_free_catch_all:True"
    return settings

"""Memory that was freed stays with the process for a while.

By default, glibc gives what a large body took back to the kernel at once, and each page of the next
body costs a fault: more than all else that is done for a body of binary data
(docs/decisions/0027-tune-the-allocator-and-openmp.md has the figures).
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGE_BYTES = 16 << 20  # larger blocks go back to the kernel at once
KEPT_BYTES = 32 << 20  # the most that each thread's heap keeps at its end
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Tell the allocator, unless its settings are the operator's or it is not glibc's."""
    if any(name in os.environ for name in SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))

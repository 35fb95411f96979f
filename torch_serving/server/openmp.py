"""Threads that share one operator spin for a moment where they wait for each other, then sleep.

By default, GNU's OpenMP spins for milliseconds. Where another process has one of the cores, all
threads of an operator then burn theirs until the last one gets its turn, at every operator: a
transformer that takes 4 ms takes up to 460
(docs/decisions/0027-tune-the-allocator-and-openmp.md has the figures).
"""

import os

SPINS = 1000
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def spin_briefly() -> None:
    """Set it for this process, unless the operator has set something. Comes before torch, whose
    OpenMP reads it when it is loaded."""
    if not any(name in os.environ for name in SETTINGS):
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)

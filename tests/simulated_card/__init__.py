"""A simulated card: torch's own host code of CUDA runs, on a machine that has no card.

It stands in for CUDA's runtime, its driver and NVML, below a torch that was built for CUDA: torch's
allocators, streams, events, pinned memory and graphs are the real ones. Kernels are not: each
operator is done by the CPU's, later, in the thread of its stream.

    python -m tests.simulated_card -m pytest -n 0 -m cuda tests

runs Python so; `python` must have torch's build for CUDA 13. What it can't show: how fast a card
is, its rounding, and what libraries such as cuDNN do.
"""

"""The Open Inference Protocol 2 over HTTP: what KServe, Triton and their clients speak."""

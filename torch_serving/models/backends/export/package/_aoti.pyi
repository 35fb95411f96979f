from collections.abc import Sequence
from typing import Any

import torch

from torch_serving.models.backends.export.package.folder import PackageFolder

class PackageError(Exception): ...

def is_loaded(path: str) -> bool: ...

class Package:
    input_names: tuple[str, ...]
    outputs: int
    runners: int
    input_spec: str
    output_spec: str
    constants: list[tuple[int, int]]
    def __init__(
        self, path: str, device: str, runners: int, folder: PackageFolder | None = None
    ) -> None: ...
    def run_arrays(self, arrays: Sequence[Any]) -> list[Any] | None: ...
    def run(self, tensors: list[torch.Tensor], stream: int = 0) -> list[torch.Tensor | None]: ...

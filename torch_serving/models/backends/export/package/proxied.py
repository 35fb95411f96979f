"""Packages with operators that torch itself must call: custom ones, and some without C functions.

torch's own loader runs them, which holds the GIL.
"""

import threading
from typing import Any

import torch
from torch._C import _aoti

from torch_serving.models.backends.export.package._aoti import Package, PackageError
from torch_serving.models.backends.export.package.folder import PackageFolder

RUNS = "by torch's loader, which holds the GIL, for it has operators without C functions"
# Two at once corrupt what torch's loader keeps.
LOAD_LOCK = threading.Lock()
ANY_DEVICE = -1


class ProxiedPackage:
    """A package that torch's loader runs, described as its library says."""

    def __init__(
        self, folder: PackageFolder, name: str, library: Package, device: torch.device
    ) -> None:
        """Load the package of that name, unpacked in a folder. Raises PackageError."""
        self.input_names = library.input_names
        self.outputs = library.outputs
        self.input_spec = library.input_spec
        self.output_spec = library.output_spec
        self.constants = library.constants
        self._folder = folder
        index = ANY_DEVICE if device.index is None else device.index
        with LOAD_LOCK:
            try:
                self._loader: Any = _aoti.AOTIModelPackageLoader(folder.path, name, False, 1, index)
            except RuntimeError as error:
                raise PackageError(str(error)) from error

    def run(self, tensors: list[torch.Tensor], stream: int = 0) -> list[torch.Tensor | None]:
        """As `Package.run`; the loader finds the stream itself."""
        try:
            return list(self._loader.boxed_run(tensors))
        except RuntimeError as error:
            raise PackageError(str(error)) from error

"""All kinds of model files. A new kind is one line here."""

from pathlib import Path, PurePath

from torch_serving.models.backends.export.backend import ExportedPrograms, Packages
from torch_serving.models.backends.interfaces import Backend
from torch_serving.models.backends.torchscript.backend import TorchScript

# The first one also takes files that tell nothing, neither by contents nor by suffix.
BACKENDS: tuple[Backend, ...] = (TorchScript(), Packages(), ExportedPrograms())


def backend_of(path: Path, name: str) -> Backend:
    """The backend for an open file: by its contents, or where these tell nothing, by its name."""
    suffix = PurePath(name).suffix
    by_contents = (each for each in BACKENDS if each.recognizes(path))
    by_suffix = (each for each in BACKENDS if suffix in each.suffixes)
    return next(by_contents, None) or next(by_suffix, BACKENDS[0])


def verify(path: Path, name: str) -> str:
    """Verify a file of any kind, and return its version. Raises InvalidServable."""
    return backend_of(path, name).verify(path)


def suffixes() -> list[str]:
    """Files with one of these suffixes are listed as models."""
    return [suffix for backend in BACKENDS for suffix in backend.suffixes]

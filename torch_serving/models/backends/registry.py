"""All kinds of model files. A new kind is one line here."""

from pathlib import PurePath

from torch_serving.models.backends.interfaces import Backend
from torch_serving.models.backends.torchscript.backend import TorchScript

# The first one also takes files with a suffix that none of them has.
BACKENDS: tuple[Backend, ...] = (TorchScript(),)


def backend_of(identifier: str) -> Backend:
    """The backend for a file, by the suffix of its name."""
    suffix = PurePath(identifier).suffix
    return next((each for each in BACKENDS if suffix in each.suffixes), BACKENDS[0])


def suffixes() -> list[str]:
    """Files with one of these suffixes are listed as models."""
    return [suffix for backend in BACKENDS for suffix in backend.suffixes]

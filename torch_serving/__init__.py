"""Serve TorchScript models over HTTP, or run them in one's own process."""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch_serving.config import Config
    from torch_serving.service.interfaces import InferenceRequest
    from torch_serving.service.runtime import Runtime

__all__ = ["Config", "InferenceRequest", "Runtime", "__version__"]
__version__ = "0.1.0"

# Imported when they are first used: torch takes a second.
MODULES = {
    "Config": "torch_serving.config",
    "InferenceRequest": "torch_serving.service.interfaces",
    "Runtime": "torch_serving.service.runtime",
}


NOT_BUILT = (
    "torch_serving is a clone here whose extensions are not built, and hides the one that is "
    "installed: start Python in another folder, or build the clone with `make build`"
)


def release_gil_in_imports() -> None:
    """Let `_unlocked_import` take the place of functions of torch, which has to be loaded later.

    Those functions are as before but for calls by the backend of TorchScript files.
    """
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_GLOBAL)
    try:
        importlib.import_module("torch_serving._unlocked_import")
    except ModuleNotFoundError as error:
        raise ImportError(f"{NOT_BUILT} (found in {os.path.dirname(__file__)})") from error
    finally:
        sys.setdlopenflags(flags)


release_gil_in_imports()


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(MODULES[name]), name)

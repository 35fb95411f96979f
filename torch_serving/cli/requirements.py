"""What to install where a module is missing."""

import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch_serving import __version__
from torch_serving.errors import StartupError

DISTRIBUTION = "torch-serving"


def version_text() -> str:
    """The versions of the server and of torch."""
    try:
        torch = f"torch {importlib.metadata.version('torch')}"
    except importlib.metadata.PackageNotFoundError:
        torch = "torch is not installed"
    return f"{DISTRIBUTION} {__version__} ({torch})"


@contextmanager
def required_modules() -> Iterator[None]:
    """Turn errors of the imports within it into a StartupError that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise StartupError(explain_missing(error.name or str(error))) from None
    except (ImportError, OSError) as error:  # a shared library that it needs may be missing
        raise StartupError(
            f"a library can't be imported: {error}; install it anew, with all that it needs"
        ) from None


def explain_missing(module: str) -> str:
    """Say how to get a module that is not there."""
    name = module.partition(".")[0]
    if name == __name__.partition(".")[0]:
        return f"{module} is missing, so this installation is not whole: install {name} anew"
    return f'{name} is not installed here; pip install "{requirement_of(name)}"'


def requirement_of(module: str) -> str:
    """The requirement of the server that brings a module, as `pip install` takes it."""
    wanted = module.replace("_", "-").lower()
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        name = re.match(r"[A-Za-z0-9._-]*[A-Za-z0-9]", package)
        if name and name[0].replace("_", "-").lower() == wanted and "extra ==" not in marker:
            return package.strip()
    return wanted

"""What `inspect` and `run` share: one model file, and the device for it."""

import argparse
from pathlib import Path
from typing import Any

from torch_serving.errors import ServingError, StartupError


def command_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Return a parser of a command about one model."""
    parser = argparse.ArgumentParser(prog=f"torch-serving {name}", description=description)
    parser.add_argument("model", type=Path, help="a file saved with torch.jit.save")
    parser.add_argument("--device", default="cpu", help="where to load it (default: cpu)")
    return parser


def load_servable(path: Path, device: str) -> Any:
    """Return the servable of a file. Raises StartupError."""
    from torch_serving.engine.devices import device_of
    from torch_serving.models.loader import load

    if not path.is_file():
        raise StartupError(f"no such file: {path}")
    try:
        return load(path, device_of(device))
    except ServingError as error:
        raise StartupError(f"{path}: {error.detail}") from None

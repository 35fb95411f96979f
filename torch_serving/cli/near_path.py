"""What is said of a path that is not there, or is no file."""

import os
from pathlib import Path

from torch_serving.errors import StartupError
from torch_serving.suggestions import nearest


def check_file(path: Path, otherwise: str = "") -> None:
    """Raise StartupError for what is no file; `otherwise` ends it where no path is near."""
    if path.is_dir():
        raise StartupError(f"{path} is a folder; name one model file in it")
    if not path.is_file():
        raise StartupError(f"no such file: {path}{near_path(path) or otherwise}")


def near_path(path: Path) -> str:
    """Return the end of a message with the path that was probably meant, or nothing."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return ""
    below = [path.parent / name / path.name for name in sorted(names)]
    found = next((each for each in below if each.is_file()), None)
    near = nearest(path.name, names)
    if not found and near:
        found = path.with_name(near)
    return f"; did you mean {found}?" if found else ""

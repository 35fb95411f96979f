"""The path that was probably meant by one that does not exist."""

import os
from pathlib import Path

from torch_serving.suggestions import nearest


def near_path(path: Path) -> str:
    """Return the end of a message with the nearest name in the folder of a path, or nothing."""
    try:
        found = nearest(path.name, os.listdir(path.parent))
    except OSError:
        return ""
    return f"; did you mean {path.with_name(found)}?" if found else ""

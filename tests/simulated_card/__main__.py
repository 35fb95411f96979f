"""Runs Python with a simulated card: `python -m tests.simulated_card ARGUMENTS OF PYTHON`."""

import os
import sys
from pathlib import Path

from tests.simulated_card.build import RUNTIME, build

START = Path(__file__).parent / "start"


def environment(libraries: Path) -> dict[str, str]:
    """Libraries that the loader finds before those of CUDA, and operators for torch."""
    found = dict(os.environ)
    paths = [START, Path(__file__).parents[2], found.get("PYTHONPATH", "")]
    found["PYTHONPATH"] = os.pathsep.join(str(path) for path in paths if path)
    found["LD_PRELOAD"] = str(libraries / RUNTIME)
    found["LD_LIBRARY_PATH"] = str(libraries)
    found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}"
    found.setdefault("SIMULATED_CARD", f"/dev/shm/simulated-card-{os.getpid()}")
    return found


if __name__ == "__main__":
    os.execve(sys.executable, [sys.executable, *sys.argv[1:]], environment(build()))

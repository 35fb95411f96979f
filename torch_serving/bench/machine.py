"""The machine and the versions of a measurement, in words."""

import os
import platform
from pathlib import Path

from torch_serving import __version__


def machine() -> dict[str, str | int]:
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch_serving": __version__,
        "torch": version_of("torch"),
    }


def machine_text(found: dict[str, str | int]) -> str:
    torch = f", torch {found['torch']}" if found["torch"] else ""
    cores = "1 core" if found["cores"] == 1 else f"{found['cores']} cores"
    return (
        f"{found['processor']}, {cores}; torch-serving {found['torch_serving']}{torch}, "
        f"Python {found['python']}"
    )


def processor() -> str:
    """The name of the processor, as the kernel tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return " ".join(next(names, platform.machine()).split())


def version_of(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""

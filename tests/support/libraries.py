"""Packages around libraries that tests write in C: what compiled models do when they go wrong."""

import json
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = {
    "AOTI_DEVICE_KEY": "cpu",
    "AOTI_PLATFORM": sys.platform,
    "AOTI_MACHINE": platform.machine(),
    "AOTI_CPU_ISA": "",
    "AOTI_COMPUTE_CAPABILITY": "",
}
FOLDER = "made/data/aotinductor/model/"


def library(folder: Path, source: str) -> bytes:
    """Compile C. Skips the test where no compiler is."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    (folder / "library.c").write_text(source)
    command = [compiler, "-shared", "-fPIC", "-o", "library.so", "library.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "library.so").read_bytes()


def save_package(
    path: Path, files: Mapping[str, bytes], metadata: Mapping[str, str] = HERE
) -> Path:
    """Write a package with these files beside the metadata of its library `x.wrapper.so`."""
    entries = {
        "made/archive_format": b"pt2",
        "made/archive_version": b"0",
        "made/byteorder": sys.byteorder.encode(),
        f"{FOLDER}x.wrapper_metadata.json": json.dumps(metadata).encode(),
        **{f"{FOLDER}{name}": data for name, data in files.items()},
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path

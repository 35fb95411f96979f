"""Packages around libraries that tests write in C: what compiled models do when they go wrong."""

import json
import platform
import re
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


# A package of one tensor, `x`, whose Run is RUN, with OUTPUTS results.
ECHO = """
#include <stddef.h>
#include <stdlib.h>
#define F(name) int AOTInductorModelContainer##name
typedef void* Tensor;
static int model;
static const char* error = "it went wrong";
F(CreateWithDevice)(void** made, size_t runs, const char* on, const char* in) {
    *made = &model; return CREATE;
}
F(Delete)(void* m) { return 0; }
F(GetNumInputs)(void* m, size_t* count) { *count = 1; return 0; }
F(GetNumOutputs)(void* m, size_t* count) { *count = OUTPUTS; return 0; }
F(GetCallSpec)(void* m, const char** in, const char** out) { *in = *out = ""; return 0; }
F(GetInputName)(void* m, size_t i, const char** name) { *name = "x"; return 0; }
F(Run)(void* m, Tensor* in, size_t ins, Tensor* out, size_t outs, void* stream, void* proxy) {
    RUN;
    return 0;
}
int AOTInductorGetLastError(const char** text) { *text = error; return 0; }
"""
TAKE = "out[0] = in[0]; in[0] = NULL"


def save_echo(
    path: Path, run: str = TAKE, outputs: int = 1, create: int = 0, before: str = ""
) -> Path:
    """Write a package that runs these statements of C."""
    replaced = {"RUN": run, "OUTPUTS": str(outputs), "CREATE": str(create)}
    source = before + ECHO
    source = re.sub(r"\b(RUN|OUTPUTS|CREATE)\b", lambda word: replaced[word[0]], source)
    return save_package(path, {"x.wrapper.so": library(path.parent, source)})

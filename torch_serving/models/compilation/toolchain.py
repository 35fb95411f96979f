"""The C++ compiler that torch runs: whether it is there, and can do what torch asks of it."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from torch_serving.errors import StartupError

INSTALL = "apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora, RHEL), or your own's"
# What torch needs beside the language: threads of OpenMP, and a library that Python can load.
SOURCE = "#include <omp.h>\n#include <vector>\nint threads() { return omp_get_max_threads(); }\n"
FLAGS = ("-std=c++20", "-shared", "-fPIC", "-fopenmp")
LIMIT_S = 120.0


def check_compiler(folder: Path) -> None:
    """Compile a few lines in a folder. Raises StartupError that says what to install."""
    words = compiler_words()
    if shutil.which(words[0]) is None:
        raise StartupError(
            f"compiling needs a C++ compiler, and {words[0]} is not found; install one: {INSTALL}; "
            "or name yours in the variable CXX"
        )
    source, library = folder / "check.cpp", folder / "check.so"
    source.write_text(SOURCE)
    command = [*words, *FLAGS, str(source), "-o", str(library)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=folder
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartupError(f"the C++ compiler {words[0]} can't be run: {error}") from None
    if done.returncode:
        raise StartupError(explain(words[0], done.stderr))


def compiler_words() -> list[str]:
    """The command that torch runs: CXX, or the system's own."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    return shlex.split(os.environ.get("CXX", "")) or [usual]


def explain(compiler: str, output: str) -> str:
    """Say what a compiler lacks that compiled nothing."""
    first = first_error(output)
    if "omp.h" in output or "lgomp" in output or "lomp" in output:
        return (
            f"{compiler} has no OpenMP, which compiled models need ({first}); with clang, install "
            "libomp-dev (libomp from Homebrew on macOS), or set CXX=g++"
        )
    if "c++20" in output:
        return f"{compiler} is too old: torch needs C++20, as g++ has from 10 and clang from 12 on"
    return f"the C++ compiler {compiler} fails ({first}); install it anew: {INSTALL}"


def first_error(output: str) -> str:
    """The line of a compiler's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")

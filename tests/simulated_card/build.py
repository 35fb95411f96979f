"""Builds the libraries that stand in for those of CUDA."""

import re
import subprocess
from pathlib import Path

import torch

SOURCES = Path(__file__).parent / "runtime"
TARGET = Path(__file__).parents[2] / ".build" / "simulated_card"
TORCH = Path(torch.__file__).parent
HEADERS = TORCH.parent / "nvidia" / "cu13" / "include"
RUNTIME = "libcudart.so.13"
COMPILER = ("g++", "-std=c++17", "-O1", "-g", "-fPIC", "-shared", "-Wall", "-Wno-attributes")
UNDEFINED = re.compile(rf"(\w+)@{re.escape(RUNTIME)}")
DRIVER = re.compile(r"\bU (cu[A-Z]\w+)")
DEFINED = re.compile(r"\bT (\w+)")
NOT_SUPPORTED = 801  # cudaErrorNotSupported, and what the driver calls it


def build() -> Path:
    """Build what is older than its sources, and return the folder of the libraries.

    Raises SystemExit if torch is not built for CUDA 13.
    """
    if not HEADERS.is_dir():
        raise SystemExit(f"this is not torch's build for CUDA 13: torch {torch.__version__}")
    TARGET.mkdir(parents=True, exist_ok=True)
    newest = max(path.stat().st_mtime for path in (*SOURCES.rglob("*"), Path(__file__)))
    runtime = TARGET / RUNTIME
    if not runtime.exists() or runtime.stat().st_mtime < newest:
        build_runtime(runtime)
        build_others()
    return TARGET


def build_runtime(target: Path) -> None:
    """The runtime, and a function that refuses for each one that is not simulated."""
    sources = [str(path) for path in SOURCES.glob("*.cpp") if path.stem != "management"]
    version = TARGET / "version"
    version.write_text(f"{RUNTIME} {{ global: *; }};\n")
    options = [f"-I{SOURCES}", f"-I{HEADERS}", f"-Wl,-soname,{RUNTIME}"]
    options += [f"-Wl,--version-script={version}", "-lpthread", "-ldl"]
    new = target.with_suffix(".new")
    compile_to(new, *sources, *options)
    absent = TARGET / "absent.c"
    names = sorted(wanted() - set(DEFINED.findall(symbols(new, "--defined-only"))))
    refusals = (f"int {name}(void) {{ return {NOT_SUPPORTED}; }}\n" for name in names)
    absent.write_text("".join(refusals))
    subprocess.run(["gcc", "-c", "-fPIC", absent, "-o", absent.with_suffix(".o")], check=True)
    compile_to(new, *sources, str(absent.with_suffix(".o")), *options)
    new.replace(target)  # a process may run the old one


def build_others() -> None:
    """NVML; and the driver, whose functions are among the runtime's."""
    compile_to(
        TARGET / "libnvidia-ml.so.1",
        str(SOURCES / "management.cpp"),
        "-Wl,-soname,libnvidia-ml.so.1",
    )
    empty = TARGET / "empty.cpp"
    empty.write_text("")
    linked = ("-Wl,--no-as-needed", f"-L{TARGET}", f"-l:{RUNTIME}")
    compile_to(TARGET / "libcuda.so.1", str(empty), "-Wl,-soname,libcuda.so.1", *linked)


def compile_to(target: Path, *arguments: str) -> None:
    subprocess.run([*COMPILER, *arguments, "-o", target], check=True)


def wanted() -> set[str]:
    """What torch's libraries want of the runtime and of the driver."""
    found: set[str] = set()
    for library in (TORCH / "lib").glob("*.so"):
        undefined = symbols(library, "--undefined-only")
        found.update(UNDEFINED.findall(undefined), DRIVER.findall(undefined))
    return found


def symbols(library: Path, which: str) -> str:
    command = ["nm", "-D", which, str(library)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

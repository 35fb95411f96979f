"""What is said where a library is not installed: what to install, in one line."""

import subprocess
import sys

import pytest

from torch_serving.cli.requirements import explain_missing, required_modules
from torch_serving.errors import StartupError

# Runs the command line in a process in which some modules can't be found.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
missing = sys.argv[1].split(",")
sys.meta_path.insert(0, Missing())
import importlib.metadata
find = importlib.metadata.version
def version(name):
    if name in missing:
        raise importlib.metadata.PackageNotFoundError(name)
    return find(name)
importlib.metadata.version = version
from torch_serving.cli.main import main
main(sys.argv[2:])
"""


def run_without(modules: str, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", WITHOUT, modules, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("modules", "arguments", "words"),
    [
        ("torch", ["."], 'torch is not installed here; pip install "torch'),
        ("torch,numpy", ["serve", "."], 'is not installed here; pip install "'),
        ("torch", ["inspect", __file__], 'torch is not installed here; pip install "torch'),
        ("torch,numpy", ["inspect", __file__], 'is not installed here; pip install "'),
        ("torch", ["run", __file__, "--data", "[]"], 'torch is not installed here; pip install "'),
        ("numpy", ["run", __file__, "--data", "[]"], 'numpy is not installed here; pip install "'),
        ("hdrh", ["bench", __file__], "bench needs the extra `measure`: pip install 'torch-serv"),
        ("falcon", ["."], 'falcon is not installed here; pip install "falcon'),
    ],
)
def test_a_missing_library_is_named_in_one_line(modules: str, arguments: list[str], words: str):
    port = ["--port", "0"] if arguments[0] in (".", "serve") else []
    code, out, err = run_without(modules, *arguments, *port)
    assert (code, out) == (2, "")
    *warnings, line = err.splitlines()  # torch warns where there is no numpy
    assert "Traceback" not in err
    assert warnings == [] or "numpy" in modules
    assert line.startswith("torch-serving: ")
    assert words in line


@pytest.mark.parametrize("word", ["--help", "help", "--version", "-V", "version"])
def test_help_and_version_need_no_library(word: str):
    code, out, err = run_without("torch,numpy,falcon,uvicorn,httptools,tomli", word)
    assert (code, err) == (0, "")
    assert "torch-serving" in out
    if "elp" not in word:
        assert "(torch is not installed)" in out


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("torch", 'torch is not installed here; pip install "torch'),
        ("torch.nn", 'torch is not installed here; pip install "torch'),
        ("prometheus_client", 'pip install "prometheus-client'),
        ("typing_extensions", 'pip install "typing-extensions"'),
        ("torch_serving.models._cache", "this installation is not whole"),
    ],
)
def test_how_to_get_a_module(module: str, words: str):
    assert words in explain_missing(module)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libcudart.so.12: cannot open shared object file"),
        OSError("libtorch_global_deps.so: cannot open shared object file"),
    ],
)
def test_a_broken_library_is_no_traceback(error: Exception):
    words = "cannot open shared object file; install it anew"
    with pytest.raises(StartupError, match=words), required_modules():
        raise error

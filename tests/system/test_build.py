"""What a wheel is made of."""

import subprocess
import sys
from pathlib import Path

from tests.support.pages import ROOT


def test_nothing_of_an_earlier_build_is_packed(tmp_path: Path):
    package = tmp_path / "torch_serving"
    (package / "models").mkdir(parents=True)
    for name in ("removed.py", "_removed.cpython-310-x86_64-linux-gnu.so", "models/_cache.so"):
        (package / name).touch()
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True)
    assert not list(package.glob("*removed*"))
    assert (package / "models/_cache.so").is_file()  # what is built is built again where it is old
    assert (package / "py.typed").is_file()

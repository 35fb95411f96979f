"""The unit for systemd: it is valid, it takes away what is not needed, and its flags exist."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from torch_serving.cli.flags import build_parser

UNIT = Path(__file__).parents[2] / "deploy" / "torch-serving.service"
TEXT = UNIT.read_text()


def value_of(key: str) -> str:
    return next(line for line in TEXT.splitlines() if line.startswith(f"{key}=")).partition("=")[2]


def test_its_flags_exist():
    program, *arguments = shlex.split(value_of("ExecStart"))
    assert program.endswith("/torch-serving")
    assert vars(build_parser().read(arguments))["api_key_file"] == Path("%d/keys")
    assert value_of("LoadCredential").startswith("keys:")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_it_is_valid_and_exposes_little(tmp_path: Path):
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("/opt/torch-serving/bin/torch-serving", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    assert subprocess.run(command, capture_output=True).returncode == 0  # at most 2.0 of 10

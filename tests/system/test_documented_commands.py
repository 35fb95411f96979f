"""Every command that a page prints is run as it is printed, and gives what is printed below it.

The pages are run in one folder, beside one server on its `models` folder. What can't be run in a
test (an installation, a server that runs until a signal) is checked as far as it can be.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.process import Process
from torch_serving.cli.commands import COMMANDS
from torch_serving.cli.settings import parse

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "127.0.0.1:8888"
INSTALLATION = ("python3 -m venv", ".venv/bin/pip install", "pip install", "export PATH=", "git ")
MAKES_MODEL = "python example/"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",  # torch.jit's own
}


class Block(NamedTuple):
    language: str
    text: str


def blocks_of(page: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall((ROOT / page).read_text())]


def commands_of(block: Block) -> list[str]:
    """The commands of a shell block; a quoted text may go on over several lines."""
    commands, open_command = [], ""
    for line in block.text.splitlines():
        open_command = f"{open_command}\n{line}" if open_command else line
        complete = not line.endswith("\\") and open_command.count("'") % 2 == 0
        if complete:
            commands.append(open_command.partition("  # ")[0].strip())
            open_command = ""
    return [command for command in commands if command and not command.startswith("#")]


SHELL = [
    (page, command, following)
    for page in PAGES
    for block, following in zip(
        blocks_of(page), [*blocks_of(page)[1:], Block("", "")], strict=False
    )
    if block.language == "sh"
    for command in commands_of(block)
]
PYTHON = [
    (page, block.text) for page in PAGES for block in blocks_of(page) if block.language == "python"
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the pages have made their models, the README's first."""
    folder = tmp_path_factory.mktemp("session")
    for name in ("docs", "example"):
        (folder / name).symlink_to(ROOT / name)
    for _, text in PYTHON:
        if '"models/' in text and ADDRESS not in text:
            run_python(text, folder)
    for _, command, _ in SHELL:
        if command.startswith(MAKES_MODEL):
            run_shell(command, folder)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path, start_for_module: Callable[..., Process]) -> str:
    process = start_for_module(folder / "models", "--port", "0")
    return process.url.removeprefix("http://")


def run_python(text: str, folder: Path) -> str:
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_something_to_run():
    assert len(SHELL) > 12
    assert len(PYTHON) > 2


@pytest.mark.parametrize(("page", "text"), PYTHON)
def test_python(page: str, text: str, folder: Path, address: str):
    run_python(text.replace(ADDRESS, address), folder)


@pytest.mark.parametrize(("page", "command", "following"), SHELL)
def test_shell(page: str, command: str, following: Block, folder: Path, address: str):
    words = shlex.split(command)
    if command.startswith(INSTALLATION):
        return  # what this test itself runs in was installed by them
    if words[0] == "curl":
        check_output(run_shell(command.replace(ADDRESS, address), folder), following)
    elif words[0] == "torch-serving" and words[1:2] in (["inspect"], ["run"], ["export"]):
        if "example/model-example.pt" in words:
            make_example()
        check_output(run_shell(command, folder), following)
    elif command.startswith(MAKES_MODEL):
        check_output(run_shell(command, folder), following)
    elif words[0] == "torch-serving" and len(words) > 1 and words[1] in COMMANDS:
        COMMANDS[words[1]].build_parser().parse_known_args(words[2:])
    elif words[0] == "torch-serving":
        first_flag = next((at for at, word in enumerate(words) if word[0] == "-"), len(words))
        parse(words[first_flag:], {})
    elif words[0] == "make" or "make" in words[:3]:
        run_shell(f"make --dry-run {' '.join(words[words.index('make') + 1 :])}", ROOT)
    elif "-m" in words and words[words.index("-m") + 1] != "pytest":
        assert find_spec(words[words.index("-m") + 1])
    else:
        check_files_exist(words)


def check_output(output: str, following: Block) -> None:
    if following.language not in ("json", "") or "…" in following.text:
        return
    if following.language == "json":
        assert json.loads(output) == json.loads(following.text)
    elif following.text:
        assert output == following.text


def check_files_exist(words: list[str]) -> None:
    """A script or tests that are named."""
    files = [word.partition("::")[0] for word in words if "/" in word and not word.startswith("-")]
    assert files, f"say in this test how `{shlex.join(words)}` is tried"
    for file in files:
        assert list(ROOT.glob(file)) or file.startswith((".venv/", ".build/")), file


def make_example() -> None:
    path = ROOT / "example" / "model-example.pt"
    if not path.exists():
        run_python((ROOT / "example" / "create_model.py").read_text(), ROOT / "example")


def test_the_server_that_pages_speak_of(address: str):
    with urllib.request.urlopen(f"http://{address}/healthcheck") as response:
        assert response.status == 200

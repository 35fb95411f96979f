"""Every command and program that a page prints is run as it is printed, and gives what is printed
below it.

The pages are run in one folder, beside one server on its `models` folder. What can't be run in a
test (an installation, a server that runs until a signal) is checked as far as it can be.
"""

import re
import shlex
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.pages import (
    ROOT,
    Block,
    blocks_in,
    check_output,
    commands_of,
    run_files,
    run_javascript,
    run_python,
    run_shell,
)
from tests.support.process import Process
from torch_serving.cli.commands import COMMANDS
from torch_serving.cli.example_models import save_example_models
from torch_serving.cli.settings import parse

ADDRESS = "127.0.0.1:8888"
INSTALLATION = ("python3 -m venv", ".venv/bin/pip install", "pip install", "export PATH=", "git ")
ELSEWHERE = ("sudo ", "openssl ", "docker ", "helm ")  # test_deployment_pages.py, test_chart.py
BALANCER = ("torch-serving haproxy", "haproxy ")  # test_several_machines_page.py runs them
CLUSTER = ("ray start", "export RAY_ADDRESS")  # tests/ray/test_fleet.py has such a cluster
SHORT = (["inspect"], ["run"], ["export"], ["completion"], ["version"], ["--version"])
MAKES_MODEL = "python example/"
FILE_NAME = re.compile(r"# (models/\S+)\n")  # the first line of a file that a page prints

SHELL = [
    (page, command, following)
    for page, text, following in blocks_in("sh")
    for command in commands_of(text)
]
PYTHON = blocks_in("python")
PROGRAMS = [each for each in PYTHON if ADDRESS in each[1] or '"models/' not in each[1]]
MAKERS = [text for page, text, following in PYTHON if (page, text, following) not in PROGRAMS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the pages have made their models, the README's first."""
    folder = tmp_path_factory.mktemp("session")
    for name in ("docs", "example"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "models").mkdir()
    save_example_models(folder / "models")  # those of `torch-serving example`
    take_photo(folder / "photo.jpg")
    run_files(MAKERS, folder)
    for _, text, _ in blocks_in("toml"):
        if found := FILE_NAME.match(text):
            (folder / found[1]).write_text(text)
    for _, command, _ in SHELL:
        if command.startswith(MAKES_MODEL):
            run_shell(command, folder)
    return folder


def take_photo(path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (64, 48), (200, 120, 40)).save(path)


@pytest.fixture(scope="module")
def address(folder: Path, start_for_module: Callable[..., Process]) -> str:
    process = start_for_module(folder / "models", "--port", "0", "--model-capacity", "30")
    return process.url.removeprefix("http://")


def test_there_is_something_to_run():
    assert len(SHELL) > 40
    assert len(PROGRAMS) > 10
    assert len(MAKERS) > 10
    assert len(blocks_in("js")) > 1


@pytest.mark.parametrize(("page", "text", "following"), PROGRAMS)
def test_python(page: str, text: str, following: Block, folder: Path, address: str):
    check_output(run_python(text.replace(ADDRESS, address), folder), following)


@pytest.mark.parametrize(("page", "text", "following"), blocks_in("js"))
def test_javascript(page: str, text: str, following: Block, folder: Path, address: str):
    check_output(run_javascript(text.replace(ADDRESS, address), folder), following)


@pytest.mark.parametrize(("page", "command", "following"), SHELL)
def test_shell(page: str, command: str, following: Block, folder: Path, address: str):
    words = shlex.split(command)
    if (
        command.startswith((*INSTALLATION, *ELSEWHERE, *BALANCER, *CLUSTER))
        or "127.0.0.1:8000" in command
    ):
        return  # what this test itself runs in was installed by them
    if words[0] in ("curl", "printf"):
        output = run_shell(command.replace(ADDRESS, address), folder)
        if words[0] == "curl":
            check_output(output, following)
    elif (words[0] == "torch-serving" and words[1:2] in SHORT) or command.startswith(MAKES_MODEL):
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


def check_files_exist(words: list[str]) -> None:
    """A script or tests that are named."""
    files = [word.partition("::")[0] for word in words if "/" in word and not word.startswith("-")]
    assert files, f"say in this test how `{shlex.join(words)}` is tried"
    for file in files:
        assert list(ROOT.glob(file)) or file.startswith((".venv/", ".build/")), file


def test_the_server_that_pages_speak_of(address: str):
    with urllib.request.urlopen(f"http://{address}/healthcheck") as response:
        assert response.status == 200

"""Completions for shells and the manual page: fresh, well-formed, and they complete."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from torch_serving.cli.commands import COMMANDS
from torch_serving.cli.completion import FILES, SHELL
from torch_serving.cli.main import main
from torch_serving.cli.options import OPTIONS
from torch_serving.cli.shell_files import shell_files

PAGE = SHELL / "torch-serving.1"
IN_BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_torch_serving
printf '%s\\n' "${COMPREPLY[@]}"
"""
# what is typed, and some of what comes
COMPLETED = [
    ("torch-serving ex", ["example", "export"]),
    ("torch-serving ./models --wo", ["--workers"]),
    ("torch-serving serve --log-f", ["--log-format"]),
    ("torch-serving --log-level war", ["warning"]),
    ("torch-serving inspect --js", ["--json"]),
    ("torch-serving completion f", ["fish"]),
    ("torch-serving export --pt", ["--pt", "--pt2"]),
    ("torch-serving help insp", ["inspect"]),
    ("torch-serving run mod", ["models"]),
    ("torch-serving run --data @- mod", ["models"]),
]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_they_are_as_the_parsers_are_now():
    pytest.importorskip("shtab")
    for name, text in shell_files().items():
        fresh = (SHELL / name).read_text() == text
        assert fresh, f"{name}: python -m torch_serving.cli.reference docs/configuration.md"
    assert sorted(shell_files()) == sorted(os.listdir(SHELL))


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in FILES])
def test_a_shell_can_read_its_file(shell: str):
    run(shell, "-n", SHELL / FILES[shell])


@pytest.mark.parametrize(("typed", "expected"), COMPLETED)
def test_bash_completes(tmp_path: Path, typed: str, expected: list[str]):
    (tmp_path / "models").mkdir()
    words = typed.split()
    found = run("bash", "-c", IN_BASH, "bash", SHELL / FILES["bash"], *words, cwd=tmp_path)
    assert set(expected) <= {line.rstrip("/ ") for line in found.splitlines()}


@needs("fish")
@pytest.mark.parametrize(("typed", "expected"), COMPLETED)
def test_fish_completes(tmp_path: Path, typed: str, expected: list[str]):
    (tmp_path / "models").mkdir()
    script = f"source {SHELL / FILES['fish']}; complete -C '{typed}'"
    found = run("fish", "--no-config", "-c", script, cwd=tmp_path)
    assert set(expected) <= {line.partition("\t")[0].rstrip("/") for line in found.splitlines()}


@pytest.mark.parametrize("name", [*FILES.values(), PAGE.name])
def test_each_names_all_commands_and_flags(name: str):
    text = (SHELL / name).read_text().replace("\\-", "-")
    words = text if not name.endswith(".fish") else text.replace("-l ", "--")
    flags = [option.flag for option in OPTIONS if not option.is_positional]
    assert [each for each in [*COMMANDS, *flags] if each not in words] == []


@needs("man")
def test_man_shows_the_page_without_a_warning():
    shown = run("man", "--warnings", "--local-file", PAGE)
    assert "TORCH-SERVING(1)" in shown
    assert "torch-serving example" in shown


@needs("groff")
def test_groff_has_no_warning():
    run("groff", "-man", "-ww", "-z", PAGE)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [*((["completion", shell], file) for shell, file in FILES.items()), (["man"], PAGE.name)],
)
def test_a_command_prints_it(arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert (ended.value.code, capsys.readouterr().out) == (0, (SHELL / name).read_text())


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "bsh"])
    assert ended.value.code == 2
    assert "did you mean bash?" in capsys.readouterr().err

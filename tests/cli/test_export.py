"""Each script that `torch-serving export` prints makes a file that is served and answers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.process import Process
from torch_serving.cli.export import kinds, lines_of_kinds, script_of
from torch_serving.cli.main import main

RUN_ALL = """
import os, runpy, sys
os.chdir(sys.argv[1])
for script in sys.argv[2:]:
    runpy.run_path(script, run_name="__main__")
"""
PICTURE = {"type": "tensor", "shape": [3, 64, 96], "data_type": "uint8", "value": [7] * 18432}
ONE = {**PICTURE, "shape": [1, 3, 64, 96]}
STATE = {"type": "tensor", "shape": [1, 16], "value": [0] * 16}
# file -> a request, and a part of its answer
REQUESTS = {
    "image.pt": ({"image": PICTURE}, '"cat":'),
    "image.pt2": ({"image": ONE}, "[["),
    "text.pt": ({"texts": ["not great", "fine"]}, '"positive":'),
    "text.pt2": ({"ids": [[5, 4]], "mask": [[1, 1]]}, "[["),
    "tabular.pt": ({"numbers": [[31, 182, 77]], "category": [2]}, "["),
    "tabular.pt2": ({"numbers": [[31, 182, 77]], "category": [2]}, "["),
    "sequence.pt": ({"steps": [[[1, 2], [3, 4]]], "state": STATE}, "[[["),
    "sequence.pt2": ({"step": [[1, 2]], "state": STATE}, "[[["),
    "detection.pt": ({"images": [PICTURE]}, '"boxes":'),
    "detection.pt2": ({"image": PICTURE}, '"boxes":'),
    "stateful.pt": ({"value": 3}, ""),
    "stateful.pt2": ({"value": 3}, ""),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all scripts make, each printed for one file."""
    scripts, folder = tmp_path_factory.mktemp("scripts"), tmp_path_factory.mktemp("models")
    for name in REQUESTS:
        kind, suffix = name.split(".")
        (scripts / f"{kind}_{suffix}.py").write_text(script_of(kind, [f".{suffix}"]))
    command = [sys.executable, "-W", "ignore", "-c", RUN_ALL, str(folder)]
    subprocess.run([*command, *map(str, sorted(scripts.iterdir()))], check=True)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, start_for_module: Callable[..., Process]) -> Process:
    return start_for_module(folder, "--port", "0", "--model-capacity", "20")


def test_each_script_makes_its_file_and_no_other(folder: Path):
    assert sorted(os.listdir(folder)) == sorted(REQUESTS)
    assert {name.partition(".")[0] for name in REQUESTS} == set(kinds())


@pytest.mark.parametrize("name", REQUESTS)
def test_the_file_is_served(server: Process, name: str):
    request, part = REQUESTS[name]
    with Client(server.url) as client:
        result = client.post(name, request, plain=1).result
    assert part in json.dumps(result, separators=(",", ":"))


def test_a_whole_script_holds_both_parts():
    for kind in kinds():
        whole = script_of(kind, [".pt", ".pt2"])
        assert f'"{kind}.pt"' in whole
        assert f'"{kind}.pt2"' in whole
        assert "load_state_dict" in whole
        assert f'"{kind}.pt2"' not in script_of(kind, [".pt"])
        assert f'"{kind}.pt"' not in script_of(kind, [".pt2"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["text"], script_of("text", [".pt", ".pt2"])),
        (["text", "--pt"], script_of("text", [".pt"])),
        (["TEXT", "--pt2"], script_of("text", [".pt2"])),
        ([], "".join(f"{line}\n" for line in lines_of_kinds())),
    ],
)
def test_it_is_printed(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str):
    with pytest.raises(SystemExit) as ended:
        main(["export", *arguments])
    assert (ended.value.code, capsys.readouterr().out) == (0, expected)


def test_the_list_says_what_each_is_for():
    assert "tabular    A model of a table: " in "\n".join(lines_of_kinds())


def test_another_kind_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["export", "imag"])
    assert ended.value.code == 2
    assert "got 'imag'; did you mean image?" in capsys.readouterr().err

"""`torch-serving example`: models that give answers which are right, served without a folder."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.client import Client
from tests.support.process import Process
from torch_serving.cli.example_models import IRIS_REQUEST, PICTURE_REQUEST, save_example_models
from torch_serving.cli.main import main

# flowers of Fisher's data, and what they are
FLOWERS = [
    ([5.1, 3.5, 1.4, 0.2], "setosa"),
    ([4.4, 2.9, 1.4, 0.2], "setosa"),
    ([7.0, 3.2, 4.7, 1.4], "versicolor"),
    ([5.7, 2.8, 4.1, 1.3], "versicolor"),
    ([6.3, 3.3, 6.0, 2.5], "virginica"),
    ([5.9, 3.0, 5.1, 1.8], "virginica"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    save_example_models(folder)
    return folder


@pytest.fixture(scope="module")
def server(start_for_module: Callable[..., Process], folder: Path) -> Process:
    return start_for_module("example", "--port", "0", TMPDIR=str(folder.parent))


def served_folder(process: Process) -> Path:
    found = re.search(r"2 models in (\S+),", process.stdout)
    assert found
    return Path(found[1])


def test_irises_are_told_apart(server: Process):
    with Client(server.url) as client:
        answers = client.post("iris.pt", {"flowers": [each for each, _ in FLOWERS]}, plain=1).result
    likeliest = [max(answer, key=answer.get) for answer in answers]
    assert likeliest == [species for _, species in FLOWERS]
    assert [round(sum(answer.values()), 3) for answer in answers] == [1] * len(FLOWERS)


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 3, 640, 320), (3, 1, 999), (4, 33, 1)])
@pytest.mark.parametrize("data_type", [torch.uint8, torch.float32])
def test_any_picture_is_described(folder: Path, shape: tuple[int, ...], data_type: torch.dtype):
    picture = torch.jit.load(folder / "picture.pt")
    blue = torch.tensor([40, 70, 200, 255])[: shape[-3]].view(-1, 1, 1).expand(shape)
    seen = picture(blue.to(data_type))
    assert seen.main == "blue"
    assert seen.shares["blue"] == 1.0
    assert max(seen.edges.shape) <= 96
    assert float(seen.edges.max()) < 0.01


def test_it_is_served_from_a_folder_that_goes(start: Callable[..., Process], tmp_path: Path):
    process = start("example", "--port", "0", "--threads", "3", TMPDIR=str(tmp_path))
    with Client(process.url) as client:
        assert client.post("picture.pt", PICTURE_REQUEST, plain=1).result["main"] == "yellow"
    assert process.stdout.count(", 3 threads") == 1
    assert served_folder(process).parent == tmp_path
    process.signal()
    assert process.exit_code() == 0
    assert process.problems == ""
    assert list(tmp_path.iterdir()) == []


def test_the_printed_command_works(server: Process):
    assert server.url
    command = server.stdout.partition("; try: ")[2].splitlines()[0]
    done = subprocess.run(["sh", "-c", f"{command} --silent --fail"], capture_output=True)
    assert done.returncode == 0
    assert b"versicolor" in done.stdout


def test_a_folder_keeps_them(start: Callable[..., Process], tmp_path: Path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "iris.warmup.json").write_text('{"flowers": [[1, 2, 3, 4]]}')
    process = start("example", "--keep", kept, "--port", "0")
    with Client(process.url) as client:
        assert client.post("iris.pt", IRIS_REQUEST).status == 200
    process.signal()
    assert process.exit_code() == 0
    assert sorted(os.listdir(kept)) == [
        "iris.pt", "iris.warmup.json", "picture.pt", "picture.warmup.json",
    ]  # fmt: skip
    assert (kept / "iris.warmup.json").read_text() == '{"flowers": [[1, 2, 3, 4]]}'


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--keep", "no/such"], "--keep no/such: No such file or directory"),
        (["--flag"], "unrecognized arguments: --flag"),
        (["models"], "unrecognized arguments: models"),
    ],
)
def test_what_it_does_not_take(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(["example", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["export", "example"])
def test_a_folder_that_is_called_as_a_command_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    told = f"`{name}` is a command; the models in the folder: torch-serving ./{name}\n"
    for file, expected in (("notes.txt", 0), ("a.pt2", 1)):
        (tmp_path / name / file).touch()
        with pytest.raises(SystemExit):
            main([name, "--no-such-flag"])
        assert capsys.readouterr().err.count(told) == expected

"""Operators of libraries: modules that are imported before models are loaded."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from tests.support.client import Client, tensor
from tests.support.operator_library import save_libraries
from tests.support.process import Process, check_one_line
from torch_serving.cli.main import main
from torch_serving.config import Config
from torch_serving.errors import InvalidServable, StartupError
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.torchscript.missing import missing_in
from torch_serving.models.settings import read_model_config
from torch_serving.service.runtime import Runtime

BROKEN = {
    "raises_at_import": "raise ValueError('broken\\nin two lines')",
    "ends_at_import": "import sys; sys.exit('no')",
    "wants_more": "import no_such_module",
    "no_python": "def",
}


class Folders(NamedTuple):
    modules: Path
    models: Path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folders = Folders(tmp_path_factory.mktemp("modules"), tmp_path_factory.mktemp("models"))
    save_libraries(*folders, "ops_none", "ops_flag", "ops_toml", "ops_run")
    for name, text in BROKEN.items():
        (folders.modules / f"{name}.py").write_text(text)
    return folders


@pytest.fixture
def path(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folders.modules)


def result_of(config: Config, model: str) -> float:
    with Runtime.build(config) as runtime:
        result: torch.Tensor = runtime.infer(model, {"x": torch.tensor([1.5])})
        return result.item()


def test_an_error_names_operator_and_flag(folders: Folders):
    with pytest.raises(InvalidServable) as error:
        result_of(Config(folders.models), "ops_none.pt")
    assert "operator ops_none::twice" in error.value.detail
    assert "--import ops_none" in error.value.detail
    assert "torch.jit.save" not in error.value.detail


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("\nUnknown builtin op: torchvision::nms.\nCould not", "--import torchvision"),
        (
            "Unknown type name '__torch__.torch.classes.rec.Table':\n",
            "class rec.Table is of a library",
        ),
        ("Unknown builtin op: aten::new_one.", f"torch {torch.__version__} does not have"),
        (
            "Unknown type name '__torch__.torch.classes.quantized.New'",
            "does not have its class quantized.New",
        ),
    ],
)
def test_what_is_missing(message: str, words: str):
    assert words in missing_in(message)


@pytest.mark.parametrize("message", ["", "Unknown type name 'Foo'", "failed reading zip archive"])
def test_other_messages(message: str):
    assert missing_in(message) == ""


@pytest.mark.usefixtures("path")
def test_the_flag(folders: Folders):
    assert result_of(Config(folders.models, imports=("ops_flag",)), "ops_flag.pt") == 3


@pytest.mark.usefixtures("path")
def test_the_file_beside_a_model(folders: Folders):
    (folders.models / "ops_toml.toml").write_text('import = ["ops_toml"]')
    assert result_of(Config(folders.models), "ops_toml.pt") == 3


@pytest.mark.usefixtures("path")
def test_the_commands(folders: Folders, capfdbinary: pytest.CaptureFixture[bytes]):
    body = json.dumps([tensor([1], [1.5])])
    with pytest.raises(SystemExit) as ended:
        main(["run", f"{folders.models}/ops_run.pt", "--import", "ops_run", "--data", body])
    assert ended.value.code == 0
    assert json.loads(capfdbinary.readouterr().out)["result"] == tensor([1], [3.0])


PROBLEMS = [
    ("no_such_module", "No module named 'no_such_module'"),
    ("no_such_module.inner", "No module named 'no_such_module'"),
    ("raises_at_import", "ValueError: broken"),
    ("ends_at_import", "SystemExit: no"),
    ("wants_more", "No module named 'no_such_module'"),
    ("no_python", "SyntaxError: invalid syntax"),
]


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("name", "problem"), PROBLEMS)
def test_what_can_not_be_imported(folders: Folders, tmp_path: Path, name: str, problem: str):
    with pytest.raises(StartupError) as at_start:
        Runtime.build(Config(folders.models, imports=(name,)))
    assert str(at_start.value).startswith(f"--import {name}: {problem}")
    assert "\n" not in str(at_start.value)
    shutil.copy(folders.models / "ops_none.pt", tmp_path / "m.pt")
    (tmp_path / "m.toml").write_text(f'import = ["{name}"]')
    with pytest.raises(InvalidServable) as error:
        result_of(Config(tmp_path), "m.pt")
    assert f"m.toml: import `{name}`: {problem}" in error.value.detail


@pytest.mark.parametrize("name", ["module_there", "package_there", "package_there.inner"])
def test_nothing_below_the_model_root_is_imported(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "package_there").mkdir()
    for file in ("module_there", "package_there/__init__", "package_there/inner"):
        (tmp_path / f"{file}.py").write_text("raise AssertionError('imported')")
    shutil.copy(folders.models / "ops_none.pt", tmp_path / "m.pt")
    (tmp_path / "m.toml").write_text(f'import = ["{name}"]')
    with pytest.raises(InvalidServable, match="below the model root"):
        result_of(Config(tmp_path), "m.pt")


@pytest.mark.parametrize("value", ['"torchvision"', "[1]", '["a b"]', '[""]', '["../x"]', "true"])
def test_values_that_name_no_modules(tmp_path: Path, value: str):
    (tmp_path / "m.toml").write_text(f"\nimport = {value}")
    with pytest.raises(InvalidServable, match=r"m\.toml line 2: `import`: expected"):
        read_model_config(tmp_path / "m.pt", ModelConfig())


def test_a_server_with_trial_processes(folders: Folders, start: Callable[..., Process]):
    (folders.models / "ops_toml.toml").write_text('import = ["ops_toml"]')
    flags = ("--port", "0", "--workers", "2", "--import", "ops_flag")
    path = [str(folders.modules), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = start(folders.models, *flags, PYTHONPATH=os.pathsep.join(path))
    with Client(process.url) as client:
        for model in ("ops_flag.pt", "ops_toml.pt"):
            assert client.post(model, [tensor([1], [1.5])]).result == tensor([1], [3.0])
        response = client.post("ops_none.pt", [tensor([1], [1.5])])
        assert response.status == 400
        assert "--import ops_none" in response.document["detail"]


def test_a_server_that_can_not_start(folders: Folders, start: Callable[..., Process]):
    process = start(folders.models, "--port", "0", "--import", "no_such_module")
    assert process.exit_code() == 2
    check_one_line(process, "--import no_such_module: No module named 'no_such_module'")

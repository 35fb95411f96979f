"""`torch-serving compile`: a program and its package in one file."""

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.support.packages import Compiled, save_program
from tests.support.servables import mlp, scripted
from torch_serving.cli.compile import default_output
from torch_serving.cli.main import main
from torch_serving.models.compilation import job, package
from torch_serving.models.compilation.comparison import Comparison
from torch_serving.models.compilation.job import Job

Command = Callable[..., tuple[int, str, str]]
LIMIT_S = 60
STATE_DICT = "weights.pt"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("to compile")
    save_program(folder / "mlp.pt2")
    save_program(folder / "fixed.pt2", is_dynamic=False)
    mlp().save(folder / "mlp.pt")
    scripted("x: List[Tensor]", "Tensor", "return x[0]").save(folder / "list.pt")
    torch.save({"w": torch.ones(1)}, folder / STATE_DICT)
    (folder / "text.pt2").write_text("no model")
    (folder / "there.pt2").write_text("something else")
    return folder


@pytest.fixture
def command(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """The command within this process, with a temporary folder of its own: what it ends with."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(root)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["compile", *arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture(autouse=True)
def nothing_is_left(root: Path, tmp_path: Path) -> Any:
    """Whatever happens, nothing stays but the files that were asked for."""
    before = set(root.iterdir())
    yield
    assert {path for path in root.iterdir() if path.name != "new.pt2"} == before
    assert not list(tmp_path.glob("torch-serving-compile-*"))


def pretend(monkeypatch: pytest.MonkeyPatch, found: list[Comparison]) -> None:
    """Compile nothing, and find this."""
    monkeypatch.setattr(job, "compile_program", lambda *_, **__: [])
    monkeypatch.setattr(job, "write_package", lambda path, *_: path.write_bytes(b"both"))
    monkeypatch.setattr(Job, "compare", lambda _: iter(found))


SAME = Comparison("x [2, 16]", "", 1e-7, 2e-7, 20e-6, 10e-6)
OTHER = Comparison("x [1, 16]", "gives other results", 1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.pt2"], "no such file: nothing.pt2"),
        (["mpl.pt2"], "did you mean mlp.pt2?"),
        (["."], ". is a folder; name one model file in it"),
        (["text.pt2"], "not a .pt2 archive"),
        ([STATE_DICT], "not a .pt2 archive"),
        (["mlp.pt2", "-o", "there.pt2"], "there.pt2 is there already; --force writes over it"),
        (["mlp.pt2", "-o", "new.pt"], "expected a name that ends with .pt2, got new.pt"),
        (["mlp.pt2", "-o", "none/new.pt2"], "no such folder: none"),
        (["mlp.pt2", "-o", "/proc/new.pt2"], "can't write to /proc"),
        (["mlp.pt2", "--device", "tpu"], "expected one of cpu, cuda, got 'tpu'"),
        (["mlp.pt2", "--max-batch", "1"], "expected 2 to 65536"),
        (["mlp.pt2", "--max-batch", "65"], "exported for batches of 1 to 64; export it again"),
        (["mlp.pt2", "--max-batch", "65"], 'Dim("batch", min=1, max=65)'),
        (["fixed.pt2", "--max-batch", "8"], "(their first dimensions are 2); export it with one"),
        (["mlp.pt2", "--example", "[]"], "has its example inputs in its file"),
        (["mlp.pt2", "--import", "no_such"], "--import no_such: No module named 'no_such'"),
        (["mlp.pt"], "give --example @body.json"),
        (["mlp.pt", "--example", "@nothing.json"], "can't read nothing.json"),
        (["mlp.pt", "--example", '{"x": {}}'], "--example: Invalid Input JSON: /x"),
        (["mlp.pt", "--example", '{"x": [[1]]}'], "--example: Incompatible tensor shapes"),
        (["list.pt", "--example", '{"x": [[[1]]]}'], "list.pt can't be converted: "),
    ],
)
def test_what_is_refused(command: Command, arguments: list[str], words: str):
    output = [] if {"-o", "there.pt2"} & set(arguments) else ["-o", "new.pt2"]
    code, out, err = command(*arguments, *output)
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["mlp.pt2", "mlp.compiled.pt2", "mlp.pt"])
def test_the_name_of_the_file_that_is_written(name: str):
    assert default_output(Path("models", name)) == Path("models/mlp.compiled.pt2")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_card(command: Command):
    code, _, err = command("mlp.pt2", "-o", "new.pt2", "--device", "cuda")
    assert code == 2
    assert "--device cuda: `cuda` is not a device of this machine; it has cpu (" in err


def test_no_compiler(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    code, _, err = command("mlp.pt2")
    assert code == 2
    assert "compiling needs a C++ compiler, and no-such-compiler is not found" in err

    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'x.cpp:1: fatal error: omp.h: No such file' >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setenv("CXX", str(broken))
    code, _, err = command("mlp.pt2")
    assert code == 2
    assert "has no OpenMP, which compiled models need" in err


def test_a_package_alone_is_refused(command: Command, compiled: Compiled, tmp_path: Path):
    with (
        zipfile.ZipFile(compiled.package) as both,
        zipfile.ZipFile(tmp_path / "package.pt2", "w") as alone,
    ):
        for entry in both.infolist():
            if "/models/" not in entry.filename and "/sample_inputs/" not in entry.filename:
                alone.writestr(entry, both.read(entry))
    code, _, err = command(str(tmp_path / "package.pt2"))
    assert code == 2
    assert "package.pt2 is a package already, without the program" in err


def test_what_torch_cannot_compile(command: Command, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise package.CompilationFailed("LoweringException: no kernel for aten.odd")

    monkeypatch.setattr(job, "compile_program", fail)
    code, out, err = command("mlp.pt2", "-o", "new.pt2")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == (
        "torch-serving: mlp.pt2: it can't be compiled: LoweringException: no kernel for aten.odd"
    )


def test_other_results(command: Command, root: Path, monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, [SAME, OTHER])
    code, out, err = command("mlp.pt2", "-o", "new.pt2")
    assert (code, out) == (1, "")
    assert "the package gives other results for x [1, 16]: nothing was written" in err
    assert not (root / "new.pt2").exists()


def test_force(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, [SAME])
    output = tmp_path / "new.pt2"
    output.write_bytes(b"old")
    assert command("mlp.pt2", "-o", str(output))[0] == 2
    assert output.read_bytes() == b"old"
    code, out, _ = command("mlp.pt2", "-o", str(output), "--force")
    assert (code, output.read_bytes()) == (0, b"both")
    assert "2.00 times as fast" in out


def test_settings_beside_the_model(command: Command, tmp_path: Path, monkeypatch: Any):
    pretend(monkeypatch, [SAME])
    save_program(tmp_path / "mlp.pt2")
    (tmp_path / "mlp.toml").write_text("max_batch = 8\n")
    digest = hashlib.sha256((tmp_path / "mlp.pt2").read_bytes()).hexdigest()
    (tmp_path / "models.sha256").write_text(f"{digest}  mlp.pt2\n")
    code, out, _ = command(str(tmp_path / "mlp.pt2"))
    assert code == 0
    assert "copy it to mlp.compiled.toml" in out
    assert "models.sha256 must list mlp.compiled.pt2" in out


def test_a_package_is_made_anew(
    command: Command, compiled: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pretend(monkeypatch, [SAME])
    code, out, _ = command(str(compiled.package), "-o", str(tmp_path / "new.pt2"))
    assert code == 0
    assert out.startswith(str(tmp_path / "new.pt2"))


def test_a_temporary_folder_that_may_not_execute(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_flag=os.ST_NOEXEC))
    code, _, err = command("mlp.pt2", "-o", "new.pt2")
    assert code == 2
    assert "is mounted noexec" in err
    monkeypatch.setenv("TMPDIR", "/proc/none")
    monkeypatch.setattr("tempfile.tempdir", "/proc/none")
    code, _, err = command("mlp.pt2", "-o", "new.pt2")
    assert code == 2
    assert "there is no temporary folder" in err


def test_ctrl_c(command: Command, root: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "compile_program", interrupt)
    assert command("mlp.pt2", "-o", "new.pt2")[0] == 130
    assert not (root / "new.pt2").exists()


@pytest.mark.server
def test_sigterm(root: Path, tmp_path: Path):
    command = [sys.executable, "-m", "torch_serving", "compile", "mlp.pt2", "-o", "new.pt2"]
    variables = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=root, env=variables, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "loading the model" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 128 + signal.SIGTERM


def test_a_package_and_its_program(compiled: Compiled, tmp_path: Path):
    beside = {path.name for path in compiled.package.parent.iterdir()}
    beside -= {"odd.pt2", "odd.program.pt2"}  # of other tests
    assert beside == {"err", "lock", "mlp.compiled.pt2", "mlp.pt2", "out"}
    names = [name.partition("/")[2] for name in zipfile.ZipFile(compiled.package).namelist()]
    assert {"models/model.json", "data/sample_inputs/model.pt"} <= set(names)
    parts = [Path(name) for name in names if name.startswith("data/aotinductor/model/")]
    assert {path.suffix for path in parts} == {".so", ".json"}  # sources tell paths of the machine

    x = torch.randn(3, 16)
    program = torch.export.load(compiled.program).module()
    package = torch._inductor.aoti_load_package(str(compiled.package))
    with torch.inference_mode():
        assert torch.allclose(package(x), program(x), atol=1e-6)


def test_what_compiling_tells(compiled: Compiled):
    first, head, *rows, last = compiled.out.splitlines()
    assert first.startswith(f"{compiled.package}: {compiled.package.stat().st_size:,} bytes")
    assert head.split() == ["inputs", "difference", "before", "package"]
    shapes = ["x [2, 16]", "x [1, 16]", "x [33, 16]", "x [64, 16]"]
    assert [row.partition("  ")[0] for row in rows] == shapes
    assert last.startswith("largest relative difference ")
    steps = [line.split("s  ", 1)[1] for line in compiled.err.splitlines()]
    assert steps[:2] == ["trying the C++ compiler", "loading the model"]
    assert steps[-1] == "writing the file"

"""What loads without torch, and that no modules import each other in a circle.

Which package may import which one is checked by import-linter (pyproject.toml)."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import torch_serving

PACKAGE = Path(torch_serving.__file__).parent


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported_by(path: Path) -> set[str]:
    """The modules of the package that a file imports, inside functions too, but not for types
    alone."""
    found = set()
    tree = ast.parse(path.read_text())
    for_types = [node for each in ast.walk(tree) if is_for_types(each) for node in ast.walk(each)]
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in submodules}
    ours = {name for name in found if name.partition(".")[0] == "torch_serving"}
    return {name.partition(".")[2] for name in ours}


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def is_module(name: str) -> bool:
    location = PACKAGE.parent.joinpath(*name.split("."))
    return bool(list(location.parent.glob(f"{location.name}.*py*"))) or location.is_dir()


FILES = {name_of(path): path for path in PACKAGE.rglob("*.py")}
IMPORTS = {name: imported_by(path) for name, path in FILES.items()}


def test_there_are_no_cycles():
    assert "errors" in IMPORTS["service.management"]  # the walk sees something
    TopologicalSorter(IMPORTS).prepare()


def test_the_command_line_knows_no_models():
    code = "import sys, torch_serving.cli.flags; sys.exit('torch_serving.models' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(
    "module",
    [
        "torch_serving",
        "torch_serving.errors",
        "torch_serving.config",
        "torch_serving.http._connection",
        "torch_serving.client",
        "torch_serving.testing",
        "torch_serving.cli.main",
        "torch_serving.cli.inspect",
        "torch_serving.cli.run",
        "torch_serving.cli.compile",
        "torch_serving.server.listener",
        "torch_serving.codecs.json.images",
        "torch_serving.models._cache",
        "torch_serving.codecs.json._decoder",
        "torch_serving.codecs.json._encoder",
    ],
)
def test_what_is_imported_without_torch(module: str):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_connections_need_no_framework():
    code = "import sys, torch_serving.http._connection; sys.exit('falcon' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_server_has_what_its_settings_ask_for_before_it_forks():
    code = (
        "import sys, torch_serving.server.main as main; from torch_serving.config import Config\n"
        "unneeded = {'torch_serving.models.remote.root', 'torch_serving.http.console.routes'}\n"
        "assert 'uvloop' in sys.modules and not unneeded & set(sys.modules)\n"
        "main.import_console(Config(console='off'))\n"
        "assert not unneeded & set(sys.modules)\n"
        "main.import_console(Config(console='on'))\n"
        "assert 'torch_serving.http.console.routes' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_clone_that_is_not_built_says_what_to_do(tmp_path: Path):
    """It hides the package that is installed from whoever starts Python in it."""
    (tmp_path / "torch_serving").mkdir()
    (tmp_path / "torch_serving" / "__init__.py").write_text((PACKAGE / "__init__.py").read_text())
    command = [sys.executable, "-S", "-c", "import torch_serving"]  # without what is installed
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: {torch_serving.NOT_BUILT}")

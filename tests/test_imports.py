"""The arrow of the package: who may import whom, and what may not import torch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import torch_serving

# From the rim to the core: a module imports from its own line and those below.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"flags"},
    {"flag_values"},
    {"commands", "start"},
    {"server", "workers"},
    {"app", "wsgi", "acceptor", "trials", "fast_path", "_protocol"},
    {
        "resources",
        *(f"resources.{name}" for name in ("serve", "model", "healthcheck", "metrics")),
        *(f"resources.{name}" for name in ("openapi", "docs")),
        *(f"resources.v2_{name}" for name in ("server", "models", "repository")),
    },
    {"openapi.document"},
    {"openapi.operations", "openapi.operations_v2"},
    {"openapi.operation"},
    {"openapi.parameters", "openapi.bodies"},
    {"openapi.facts", "openapi.protocol"},
    {"openapi.results"},
    {"openapi.values", "openapi.problems"},
    {"openapi.numbers", "openapi"},
    {"v2.metadata"},
    {"repository"},
    {"management", "metrics", "watching"},
    {"worker_process", "allocator", "openmp"},
    {
        "access_log",
        "json_logs",
        "answers",
        "api_keys",
        "body",
        "listener",
        "parameters",
        "request",
        "forms",
        "swagger_ui",
    },
    {"inference", "preferences"},
    {"tracing"},
    {"v2.call", "v2.infer_request", "v2.infer_response", "v2.text"},
    {"v2.datatypes", "v2.routes", "v2"},
    {"engine", "models", "description"},
    {"jobs", "busy_poll"},
    {"loading", "safetensors_form", "npy_form"},
    {"places", "call"},
    {"servable", "batching", "pace", "named_arguments", "named_results"},
    {"named_tensors"},
    {"arrays", "devices", "signatures", "script_types", "images", "sidecar", "archive"},
    {"schema"},
    {"shared"},
    {"board", "colleagues", "inventory"},
    {"_cache", "_decoder", "_encoder", "_statistics", "shared_document"},
    {"config", "files"},
    {"errors"},
    {""},  # the package itself: its version
]
PACKAGE = Path(torch_serving.__file__).parent


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported_by(path: Path) -> set[str]:
    """The modules of the package that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in submodules}
    ours = {name for name in found if name.partition(".")[0] == "torch_serving"}
    return {name.partition(".")[2] for name in ours}


def is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return bool(list(place.parent.glob(f"{place.name}.*py*"))) or place.is_dir()


FILES = {name_of(path): path for path in PACKAGE.rglob("*.py")}
IMPORTS = {name: imported_by(path) for name, path in FILES.items()}
CORE = [
    *("v2.call", "v2.metadata", "v2.infer_request", "v2.infer_response", "v2.text", "v2.routes"),
    *("inference", "repository", "call", "safetensors_form", "npy_form", "forms"),
    *("named_tensors", "named_arguments", "named_results"),
    *("engine", "models", "description", "loading", "servable", "batching", "pace"),
    *("arrays", "devices", "schema", "script_types", "images", "sidecar", "archive"),
]
LAYER_OF = {name: index for index, layer in enumerate(LAYERS) for name in layer}


def test_every_module_has_its_layer():
    assert set(IMPORTS) <= set(LAYER_OF)
    assert sum(map(len, LAYERS)) == len(LAYER_OF)  # and only one
    assert "servable" in IMPORTS["jobs"]  # the walk sees something


def test_imports_only_point_inwards():
    outwards = [
        f"{name} -> {target}"
        for name, targets in IMPORTS.items()
        for target in targets
        if LAYER_OF[target] < LAYER_OF[name]
    ]
    assert outwards == []


def test_there_are_no_cycles():
    TopologicalSorter(IMPORTS).prepare()


def test_nothing_imports_the_rim():
    importers = {
        target: {name for name, targets in IMPORTS.items() if target in targets}
        for target in ("cli", "commands", "start", "server")
    }
    assert importers == {
        "cli": {"__main__"},
        "commands": {"cli"},
        "start": {"cli"},
        "server": {"start"},
    }


@pytest.mark.parametrize(
    ("importing", "name"),
    [
        ([*CORE, "commands"], "falcon"),
        ([*CORE, "commands", "app", "wsgi", "resources.serve", "resources.model"], "uvicorn"),
        (["app", "wsgi", "resources.serve", "resources.model", "server"], "numpy"),
        ([name for name in IMPORTS if name != "images"], "PIL"),
    ],
)
def test_what_a_layer_does_not_know(importing: list[str], name: str):
    for module in importing:
        text = FILES[module].read_text()
        assert f"import {name}" not in text
        assert f"from {name}" not in text


@pytest.mark.parametrize(
    "module",
    [
        "torch_serving",
        "torch_serving.errors",
        "torch_serving.config",
        "torch_serving.cli",
        "torch_serving.commands",
        "torch_serving.listener",
        "torch_serving.images",
        "torch_serving._cache",
        "torch_serving._decoder",
        "torch_serving._encoder",
    ],
)
def test_what_is_imported_without_torch(module: str):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

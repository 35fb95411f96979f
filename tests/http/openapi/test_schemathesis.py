"""The server conforms to its OpenAPI document: it accepts the requests that the document allows,
refuses others, and each response matches its schema."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process import Process
from tests.support.servables import SOURCES, scripted

pytest.importorskip("schemathesis", reason="schemathesis needs Python 3.11")

EXAMPLES = int(os.environ.get("TORCH_SERVING_EXAMPLES", "3"))  # per operation; a long run: 100
SUPPORT = Path(__file__).parents[2] / "support"
KEY = "key-0123456789abcdef"
# Models that accept whatever their schema allows: one that may fail would hide a failure. The short
# run has those that the hooks send tensors and strings to.
FEW = ("echo.pt", "str.pt")
ALL = (*FEW, "scalars.pt", "tuple.pt", "ints.pt", "list.pt", "dict.pt", "nothing.pt")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]) -> str:
    root = tmp_path_factory.mktemp("models")
    for name in ALL if EXAMPLES > 3 else FEW:
        scripted(*SOURCES[name]).save(root / name)
    if EXAMPLES > 3:
        (root / "deep").mkdir()
        scripted(*SOURCES["echo.pt"]).save(root / "deep" / "a b,é&+.pt")
    keys = root / "keys"
    keys.write_text(f"{KEY}\n")
    flags = ["--preload", "*", "--model-capacity", "100", "--api-key-file", keys]
    return start_for_module(root, "--port", "0", "--workers", "2", *flags, "--open-health").url


def test_the_document_and_the_server_agree(url: str, tmp_path: Path):
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "run", f"{url}/openapi.json"),
        *("-H", f"Authorization: Bearer {KEY}", "--no-color"),
        *("--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", str(EXAMPLES), "--continue-on-failure"),
        # a short run is deterministic; what a long run finds becomes a test of its own
        *([] if EXAMPLES > 3 else ["--generation-deterministic"]),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(SUPPORT / "schemathesis_hooks.py")}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    print(found.stdout)  # `make schemathesis` shows it
    assert found.returncode == 0, found.stdout + found.stderr
    cases = re.search(r"(\d+) generated, (\d+) passed", found.stdout)
    assert cases is not None
    assert cases[1] == cases[2]
    assert int(cases[1]) > 2000

"""The GIL is released while torch imports or freezes a module, if our function took its place.

What the dynamic linker takes depends on which library was loaded first, so each test is a process.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.client import LIMIT_S
from tests.support.slow_loading import Adding, Multiplying, save_slow

OURS_FIRST = "import torch_serving, torch"
TORCH_FIRST = "import torch, torch_serving"

# Between the two marks is torch's native function alone.
LETS_OTHERS_RUN = """
import sys
from torch_serving._unlocked_import import unlocked
from tests.support.gil import lets_others_run

path, call = sys.argv[1:]
real = torch._C.import_ir_module

def load(mark):
    def marked(*arguments):
        mark()
        module = real(*arguments)
        mark()
        return module
    torch._C.import_ir_module = marked
    if call == "unlocked":
        unlocked(torch.jit.load, path)
    else:
        torch.jit.load(path)

print(lets_others_run(load, part=1))
"""


FREEZING_LETS_OTHERS_RUN = """
import sys
from torch_serving._unlocked_import import unlocked
from tests.support.gil import lets_others_run

name, call = sys.argv[1:]
layers = [torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()) for _ in range(40)]
module = torch.jit.script(torch.nn.Sequential(*layers).eval())
real = getattr(torch._C, name)

def freeze(mark):
    def marked(*arguments):
        mark()
        result = real(*arguments)
        mark()
        return result
    setattr(torch._C, name, marked)
    if call == "unlocked":
        unlocked(torch.jit.optimize_for_inference, unlocked(torch.jit.freeze, module))
    else:
        torch.jit.optimize_for_inference(torch.jit.freeze(module))

print(lets_others_run(freeze, part=1))
"""


def output_of(code: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="libraries take no functions of each other")
@pytest.mark.parametrize(
    ("kind", "imports", "call", "releases"),
    [
        (Adding, OURS_FIRST, "unlocked", True),
        (Multiplying, OURS_FIRST, "unlocked", True),
        (Adding, OURS_FIRST, "as others call it", False),
        (Adding, TORCH_FIRST, "unlocked", False),
    ],
)
def test_other_threads_run(
    tmp_path: Path, kind: type[torch.nn.Module], imports: str, call: str, releases: bool
):
    save_slow(tmp_path / "m.pt", 2_000, kind)
    printed = output_of(imports + LETS_OTHERS_RUN, str(tmp_path / "m.pt"), call)
    assert printed == str(releases)


@pytest.mark.skipif(sys.platform != "linux", reason="libraries take no functions of each other")
@pytest.mark.parametrize(
    "name",
    ["_freeze_module", "_jit_pass_optimize_frozen_graph", "_jit_pass_optimize_for_inference"],
)
@pytest.mark.parametrize(("call", "releases"), [("unlocked", True), ("as others call it", False)])
def test_other_threads_run_while_a_module_is_frozen(name: str, call: str, releases: bool):
    assert output_of(OURS_FIRST + FREEZING_LETS_OTHERS_RUN, name, call) == str(releases)


@pytest.mark.parametrize("imports", [OURS_FIRST, TORCH_FIRST])
def test_results_and_errors_are_torchs(tmp_path: Path, imports: str):
    save_slow(tmp_path / "m.pt", 10)
    (tmp_path / "broken.pt").write_bytes(b"no archive")
    code = f"""{imports}
import sys
from torch_serving._unlocked_import import unlocked
for name in ("m.pt", "broken.pt", "m.pt"):
    try:
        print(unlocked(torch.jit.load, f"{{sys.argv[1]}}/{{name}}", torch.device("cpu")).turns)
    except RuntimeError as error:
        print("PytorchStreamReader" in str(error))
"""
    assert output_of(code, str(tmp_path)).split() == ["10", "True", "10"]


def test_loads_beside_each_other(tmp_path: Path):
    for name in range(4):
        save_slow(tmp_path / f"{name}.pt", 1000 + name, Multiplying)
    code = f"""{OURS_FIRST}
import sys
from torch_serving._unlocked_import import unlocked
from tests.support.client import in_threads

def load(thread):
    for turn in range(50):
        name = (thread + turn) % 4
        assert unlocked(torch.jit.load, f"{{sys.argv[1]}}/{{name}}.pt").turns == 1000 + name
    return True

print(all(in_threads(4, load)))
"""
    assert output_of(code, str(tmp_path)) == "True"

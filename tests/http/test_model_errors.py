"""What a model raises: its own text for the client, where in its code for the log."""

from collections.abc import Callable

import pytest
import torch

from tests.support.client import Client, string, tensor
from tests.support.process import Process, wait_until
from torch_serving.engine.device_errors import explain

FRAMES = """The following operation failed in the TorchScript interpreter.
Traceback of TorchScript, serialized code (most recent call last):
  File "code/__torch__.py", line 9, in forward
    x: Tensor) -> Tensor:
    ops.prim.RaiseException("one", "builtins.ValueError")
    ~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE

"""
ORIGINAL = """Traceback of TorchScript, original code (most recent call last):
  File "/home/me/secret.py", line 6, in forward
    raise ValueError("no <--- HERE")
    ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE
    return x  # Error: never
"""
TRACED = """Traceback of TorchScript, original code (most recent call last):
/home/me/secret.py(5): forward
"""


@pytest.mark.parametrize("frames", [FRAMES, FRAMES + ORIGINAL, FRAMES + TRACED])
@pytest.mark.parametrize(
    "text",
    ["builtins.ValueError: one", "RuntimeError: a\nb: c\n\n <--- HERE", "mine.Error: " + "x" * 900],
)
def test_the_own_text(frames: str, text: str):
    assert explain(RuntimeError(frames + text + "\n")) == text
    assert explain(RuntimeError(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FRAMES + "no name", "no name"),
        ("The following operation failed in the TorchScript interpreter.", None),
        ("x: 1\nTraceback of TorchScript, of another", None),
    ],
)
def test_other_texts(text: str, expected: str | None):
    assert explain(RuntimeError(text)) == (expected or text)


class Picky(torch.nn.Module):
    def forward(self, text: str, x: torch.Tensor) -> torch.Tensor:
        if text != "":
            raise ValueError(text)
        return x.view(3, 3)


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, start_for_module: Callable[..., Process]
) -> Process:
    root = tmp_path_factory.mktemp("models")
    torch.jit.script(Picky()).save(root / "picky.pt")
    (root / "batched.toml").write_text("batch = true\n")
    torch.jit.script(Picky()).save(root / "batched.pt")
    return start_for_module(root, "--port", "0", "--log-level", "debug")


@pytest.mark.parametrize("model", ["picky", "batched"])
@pytest.mark.parametrize(
    ("text", "status", "detail"),
    [
        (
            "see https://a.example/b/c.html",
            500,
            "builtins.ValueError: see https://a.example/b/c.html",
        ),
        ("two\nlines: all", 500, "builtins.ValueError: two\nlines: all"),
        ("", 400, "RuntimeError: shape '[3, 3]' is invalid for input of size 1"),
    ],
)
def test_the_client_reads_the_text_and_the_log_the_code(
    process: Process, model: str, text: str, status: int, detail: str
):
    name = f"{model}-{len(text)}"
    with Client(process.url) as client:
        body = [string(text), tensor([1], [1.0])]
        response = client.post(f"{model}.pt", body, {"X-Request-Id": name})
    assert (response.status, response.document["detail"]) == (status, detail)
    wait_until(lambda: f"request {name}: the model raised: The following" in process.stderr)
    assert "<--- HERE" in process.stderr

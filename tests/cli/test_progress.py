"""The line that shows how far a command is."""

import time
from typing import Any

import pytest

from torch_serving.cli.progress import Progress


class Terminal:
    """A stream that says that it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_a_line_that_is_redrawn_is_never_two(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("torch_serving.cli.progress.EACH_S", 0.01)
    stream: Any = Terminal()
    with Progress(stream) as progress:
        progress.step("a step with many more words than there are columns")
        while "a step" not in stream.text:
            time.sleep(0.01)
    assert max(map(len, stream.text.split("\r\x1b[K"))) == 39


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch_serving.cli.progress.EACH_S", 0.01)
    stream: Any = Terminal()
    with Progress(stream) as progress:
        progress.step("first")
        while "first" not in stream.text:
            time.sleep(0.01)
    assert "\n" not in stream.text
    assert stream.text.endswith("\r\x1b[K")

"""What tests of commands share."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import LIMIT_S
from torch_serving.cli.main import main

Command = Callable[..., tuple[int, bytes, bytes]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """A command within this process: its exit code, and what it writes."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        monkeypatch.setattr("torch_serving.models.examples.MAX_SEARCH_S", LIMIT_S)
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capfdbinary.readouterr()

    return run

"""A server that answers as ours does, and `bench` as a function."""

import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.support.described_server import Command, answer
from tests.support.fake_server import FakeServer, fake_server
from torch_serving.cli import bench
from torch_serving.cli.main import main


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with fake_server(answer) as found:
        yield found


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command within this process: what it ends with.

    Its own generator measures, however busy the machine is.
    """
    monkeypatch.setattr("torch_serving.bench.measurement.BUSY", float("inf"))
    nothing = SimpleNamespace(signal=lambda *_: None, SIGTERM=signal.SIGTERM)
    monkeypatch.setattr(bench, "signal", nothing)  # the runner's own stay

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["bench", *arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run

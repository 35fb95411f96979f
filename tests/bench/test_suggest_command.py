"""`torch-serving bench --suggest`, with real servers, and what it refuses."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.process import Process
from tests.support.servables import mlp, scripted
from torch_serving.bench.candidates import DEFAULTS, Candidate
from torch_serving.bench.contestant import Contestant
from torch_serving.cli.bench_flags import read_arguments
from torch_serving.cli.bench_suggest import Servers
from torch_serving.cli.main import main
from torch_serving.errors import StartupError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suggest")
    mlp().save(folder / "mlp.pt")
    scripted("x: Tensor", "Tensor", "return x + torch.rand_like(x)").save(folder / "drawing.pt")
    return folder


def arguments_for(model: Path, *others: str) -> argparse.Namespace:
    return read_arguments([str(model), "--suggest", *others])


@pytest.fixture
def servers(folder: Path) -> Callable[..., Servers]:
    def make(name: str, *flags: str) -> Servers:
        return Servers(arguments_for(folder / name), ["--device", "cpu", *flags])

    return make


@pytest.fixture
def started() -> Iterator[list[Contestant]]:
    each: list[Contestant] = []
    yield each
    for contestant in each:
        contestant.end()


def start(servers: Servers, candidate: Candidate, started: list[Contestant]) -> Contestant:
    contestant = servers.start(candidate)
    assert isinstance(contestant, Contestant)
    started.append(contestant)
    return contestant


def test_a_short_search_says_what_it_found(folder: Path, start: Callable[..., Process]):
    process = start("bench", folder / "mlp.pt", "--suggest", "--budget", "1", "-c", "2")
    assert process.exit_code() == 0, process.stderr
    assert process.stdout.startswith("2 connections, ")
    assert "the defaults are as good" in process.stdout or "torch-serving " in process.stdout
    assert "starting the server with its defaults" in process.stderr


def test_servers_answer_alike_and_are_measured(
    servers: Callable[..., Servers], started: list[Contestant]
):
    one = servers("mlp.pt")
    usual = start(one, DEFAULTS, started)
    other = start(one, Candidate(workers=2, batch="mlp.pt"), started)
    for each in (usual, other):
        figures = each.figures(4, 2.0)
        assert figures.rate > 0
        assert figures.failed == 0
        assert each.bytes > 10 << 20
    assert other.target.body == usual.target.body


def test_other_results_put_a_server_out(
    servers: Callable[..., Servers],
    started: list[Contestant],
    monkeypatch: pytest.MonkeyPatch,
):
    one = servers("mlp.pt")
    start(one, DEFAULTS, started)
    monkeypatch.setattr(one, "_expected", b'{"code": 200, "result": 1}')
    with pytest.raises(StartupError, match="its results differ"):
        one.start(Candidate(threads=1))


def test_a_model_that_draws_is_compared_by_its_shapes(
    servers: Callable[..., Servers], started: list[Contestant]
):
    one = servers("drawing.pt")
    start(one, DEFAULTS, started)
    start(one, Candidate(threads=1), started)


def test_memory_that_is_not_there_puts_a_server_out(
    servers: Callable[..., Servers], monkeypatch: pytest.MonkeyPatch
):
    one = servers("mlp.pt")
    monkeypatch.setattr(one, "_server_bytes", 100 << 20)
    monkeypatch.setattr("torch_serving.cli.bench_suggest.available_bytes", lambda: 300 << 20)
    with pytest.raises(StartupError, match="it may take 200 MiB, which is too much here"):
        one.start(Candidate(workers=2))


@pytest.mark.parametrize(
    ("flags", "allowed", "forbidden"),
    [
        ([], Candidate(workers=2), None),
        (["--workers", "1"], Candidate(threads=1), Candidate(workers=2)),
        (["--batch", "*"], Candidate(workers=2), Candidate(batch="mlp.pt")),
    ],
)
def test_flags_that_are_given_are_not_tried(
    servers: Callable[..., Servers],
    flags: list[str],
    allowed: Candidate,
    forbidden: Candidate | None,
):
    one = servers("mlp.pt", *flags)
    assert one.allows(allowed)
    assert forbidden is None or not one.allows(forbidden)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:1", "--suggest"], "it takes a model file, not a URL"),
        (["{model}", "--suggest", "--url", "http://a"], "it takes a model file, not a URL"),
        (["{model}", "--suggest", "--rate", "5"], "leave --rate out"),
        (["{model}", "--suggest", "--json"], "leave --json out"),
        (["{model}", "--suggest", "--", "--port", "5"], "leave --port out"),
        (["{model}", "--suggest", "--", "--uds", "s"], "leave --uds out"),
        (["nothing.pt", "--suggest"], "no such file: nothing.pt"),
    ],
)
def test_what_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
):
    with pytest.raises(SystemExit) as ended:
        main(["bench", *(each.replace("{model}", str(folder / "mlp.pt")) for each in arguments)])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err

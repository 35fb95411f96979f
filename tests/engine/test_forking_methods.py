"""Methods that fork: torch's other threads know no stream but the default one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from tests.support.client import in_a_thread
from tests.support.servables import scripted
from torch_serving.model_config import ModelConfig
from torch_serving.models.backends.torchscript.program import TorchScriptProgram
from torch_serving.models.servable import Method, Servable

CARD = torch.device("cuda", 0)
FORKS = "y = torch.jit.fork(torch.neg, x)\n    z = x + 1\n    return torch.jit.wait(y) + z"
cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


def program(body: str) -> TorchScriptProgram:
    return TorchScriptProgram(scripted("x: Tensor", "Tensor", body))


def on_card(body: str, **config: bool) -> Method:
    return Servable(program(body), CARD, ModelConfig(**config)).main_method()  # type: ignore[arg-type]


class Streams:
    """The streams of a thread: which one is current, and which waits for which."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.current = self.own = Stream("own", self.calls)
        default = Stream("default", self.calls)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.current)
        monkeypatch.setattr(torch.cuda, "default_stream", lambda device: default)
        monkeypatch.setattr(torch.cuda, "stream", self.in_stream)

    @contextmanager
    def in_stream(self, stream: "Stream") -> Iterator[None]:
        before, self.current = self.current, stream
        self.calls.append(f"in {stream.name}")
        try:
            yield
        finally:
            self.current = before


class Stream:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self._calls = calls

    def wait_stream(self, other: "Stream") -> None:
        self._calls.append(f"{self.name} waits for {other.name}")

    def synchronize(self) -> None:
        self._calls.append(f"wait for {self.name}")


IN_DEFAULT = ["default waits for own", "in default", "own waits for default"]


@pytest.mark.parametrize(
    ("body", "calls"), [(FORKS, IN_DEFAULT), ("return x + 1", [])], ids=["forks", "does not"]
)
def test_a_method_that_forks_runs_in_the_default_stream(
    monkeypatch: pytest.MonkeyPatch, body: str, calls: list[str]
):
    streams, method = Streams(monkeypatch), on_card(body)
    assert method.device_method is not None
    method.device_method._run(torch.ones(2))
    assert streams.calls == calls


def test_a_fork_that_fails_leaves_the_streams_in_order(monkeypatch: pytest.MonkeyPatch):
    streams, method = Streams(monkeypatch), on_card(FORKS.replace("x + 1", "x.view(7)"))
    assert method.device_method is not None
    with pytest.raises(RuntimeError, match="view"):
        method.device_method._run(torch.ones(2))
    assert streams.calls == IN_DEFAULT
    assert streams.current is streams.own


@pytest.mark.parametrize(("body", "captured"), [(FORKS, False), ("return x + 1", True)])
def test_no_graph_holds_what_other_threads_do(body: str, captured: bool):
    assert program(body).methods()["forward"].can_be_captured is captured


def test_results_in_host_memory_have_arrived_before_they_are_copied(
    monkeypatch: pytest.MonkeyPatch,
):
    """A model that keeps state runs alone, and its results are copied before the next run."""
    streams, method = Streams(monkeypatch), on_card("return x + 1", stateful=True)
    assert method.device_method is not None
    assert method.device_method._run(torch.ones(2)).tolist() == [2.0, 2.0]
    assert streams.calls == ["wait for own"]


class TestCuda:
    pytestmark = cuda

    def test_forked_parts_wait_for_the_inputs(self):
        def run() -> None:
            method = on_card(FORKS)
            assert method.device_method is not None
            accelerator = method.device_method.accelerator
            accelerator.enter()
            x = torch.ones(1 << 16, device=CARD)
            for n in range(50):
                x = x * 0 + n
                torch.cuda._sleep(100_000)  # type: ignore[no-untyped-call]
                host = accelerator.copy_out(method.device_method._run(x * 2))
                torch.cuda.current_stream(CARD).synchronize()
                assert host.eq(1).all()

        in_a_thread(run)

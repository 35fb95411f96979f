"""In which order a launch asks for its copies, its run and its marks; what it keeps meanwhile."""

import weakref
from collections.abc import Callable, Sequence

import pytest
import torch

from tests.support.fake_device import FakeAccelerator, FakeGraph, FakeProgress
from torch_serving.engine.cuda_graphs import EAGER_RUNS, GraphCache
from torch_serving.engine.device_method import DeviceMethod, gathered


class Recorded(FakeAccelerator):
    """Writes down what it is asked for, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.sources: list[weakref.ref[torch.Tensor]] = []
        self.enter()

    def begin(self) -> FakeProgress:
        self.calls.append("begin")
        progress = super().begin()
        for mark in ("set_copied", "set_run", "set_ended", "wait"):
            setattr(progress, mark, self._recorded(mark, getattr(progress, mark)))
        return progress

    def _recorded(self, mark: str, set_it: Callable[[], None]) -> Callable[[], None]:
        def set_mark() -> None:
            self.calls.append(mark)
            set_it()

        return set_mark

    def host_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        self.calls.append("host memory")
        tensor = super().host_tensor(shape, dtype)
        self.sources.append(weakref.ref(tensor))
        return tensor

    def copy_in(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        self.calls.append("copy in")
        return [each.clone() for each in tensors]

    def copy_into(self, targets: list[torch.Tensor], tensors: list[torch.Tensor]) -> None:
        self.calls.append("copy into")
        super().copy_into(targets, tensors)

    def copy_out(self, tensor: torch.Tensor) -> torch.Tensor:
        self.calls.append("copy out")
        return super().copy_out(tensor)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    device = Recorded()

    def replay(graph: FakeGraph) -> None:
        device.calls.append("replay")

    monkeypatch.setattr(FakeGraph, "replay", replay)
    return device


BEFORE = ["begin", "host memory", "host memory"]
AFTER = ["set_run", "copy out", "copy out", "set_ended"]


@pytest.mark.parametrize(
    ("has_graph", "between"),
    [
        (False, ["copy in", "set_copied", "run"]),
        (True, ["copy into", "set_copied", "replay"]),
    ],
    ids=["run", "graph"],
)
def test_the_steps_of_a_launch(device: Recorded, has_graph: bool, between: list[str]):
    def run(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        device.calls.append("run")
        return x + y, x - y

    graphs = GraphCache("model", run, device, lambda *_: True) if has_graph else None
    method = DeviceMethod(run, device, None, graphs)
    for _ in range(EAGER_RUNS + 2):
        device.calls.clear()
        method.launch([[torch.ones(2), torch.ones(2)]], 0)
    assert device.calls == BEFORE + between + AFTER


def test_a_graph_is_judged_once_its_replay_has_ended(device: Recorded):
    graphs = GraphCache("model", torch.neg, device, lambda *_: True)
    for _ in range(EAGER_RUNS + 1):
        device.calls.clear()
        graphs.find([torch.ones(2)])
    assert device.calls == ["copy in", "begin", "replay", "set_ended", "wait"]


def test_a_launch_keeps_what_is_copied_from(device: Recorded):
    launch = DeviceMethod(torch.neg, device, None, None).launch([[torch.ones(2)]], 0)
    (source,) = device.sources
    assert source() is not None
    launch.progress.wait()
    del launch
    assert source() is None


def test_rows_that_nobody_sent_are_those_of_the_last(device: Recorded):
    """Garbage might be no index of anything."""
    requests = [[torch.tensor([[1.0], [2.0]])], [torch.tensor([[3.0]])]]
    (column,) = gathered(device, requests, 3, 4)
    assert column.tolist() == [[1.0], [2.0], [3.0], [3.0]]

"""Which inputs get graphs, whatever others ask for meanwhile."""

import pytest
import torch

from tests.support.fake_device import FakeAccelerator, FakeGraph, FakeProgress
from torch_serving.engine import cuda_graphs
from torch_serving.engine.cuda_graphs import EAGER_RUNS, GraphCache
from torch_serving.engine.device_method import DeviceMethod


def of_three(x: torch.Tensor) -> torch.Tensor:
    return x.view(3) * 2


def launched(method: DeviceMethod, inputs: torch.Tensor) -> torch.Tensor:
    launch = method.launch([[inputs]], 0)
    launch.progress.wait()
    outputs: torch.Tensor = launch.outputs
    return outputs


def entered() -> FakeAccelerator:
    device = FakeAccelerator()
    device.enter()
    return device


def test_requests_that_the_method_refuses_cost_nobody_the_graphs():
    device = entered()
    graphs = GraphCache("model", of_three, device)
    method = DeviceMethod(of_three, device, None, graphs)
    for _ in range(EAGER_RUNS + 5):
        with pytest.raises(RuntimeError, match="invalid for input"):
            launched(method, torch.ones(2))
    assert device.counts["capture"] == 0
    for _ in range(EAGER_RUNS + 1):
        assert launched(method, torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
    assert graphs.is_on
    assert len(graphs) == 1


def test_a_graph_that_is_given_up_is_not_replayed_any_more(monkeypatch: pytest.MonkeyPatch):
    """Torch unmaps its memory without a look at the stream of replays."""
    calls: list[str] = []

    def compare(value: torch.Tensor, expected: torch.Tensor) -> bool:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    def empty_cache(device: torch.device, error: Exception) -> bool:
        calls.append("empty")
        return True

    monkeypatch.setattr(FakeGraph, "replay", lambda _: calls.append("replay"))
    monkeypatch.setattr(FakeProgress, "wait", lambda _: calls.append("wait"))
    monkeypatch.setattr(cuda_graphs, "empty_cache", empty_cache)
    graphs = GraphCache("model", of_three, entered(), compare)
    for _ in range(EAGER_RUNS + 1):
        graphs.find([torch.ones(3)])
    assert calls == ["replay", "wait", "empty"]


def test_a_thread_without_graphs_takes_nobody_elses(monkeypatch: pytest.MonkeyPatch):
    device = entered()
    graphs = GraphCache("model", of_three, device)
    for _ in range(EAGER_RUNS + 1):
        graphs.find([torch.ones(3)])
    monkeypatch.setattr(device, "can_capture", lambda: False)

    def fail(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="memory"):
        launched(DeviceMethod(fail, device, None, graphs), torch.ones(3))
    assert len(graphs) == 1

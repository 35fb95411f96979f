"""Which inputs get graphs, whatever others ask for meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.support.fake_device import CUDA_ERROR, FakeAccelerator, FakeGraph, FakeProgress
from torch_serving.engine import cuda_graphs
from torch_serving.engine.cuda_graphs import EAGER_RUNS, Entry, GraphCache, graphs_on
from torch_serving.engine.device_method import DeviceMethod
from torch_serving.engine.memory import ALLOCATOR


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


def asked(graphs: GraphCache, *inputs: torch.Tensor) -> Any:
    """The graph for inputs that come again and again."""
    for _ in range(EAGER_RUNS):
        graphs.find(list(inputs))
    return graphs.find(list(inputs))


def test_the_shape_that_was_not_used_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_graphs, "MAX_SHAPES", 3)
    graphs = GraphCache("model", lambda x: x * 2, entered())
    often = asked(graphs, torch.ones(1))
    for rows in range(2, 9):
        asked(graphs, torch.ones(rows))
        assert graphs.find([torch.ones(1)]) is often
    assert len(graphs) == 3
    for rows in range(2, 5):
        asked(graphs, torch.ones(rows))
    assert graphs.find([torch.ones(1)]) is None


def test_each_type_has_its_own_graph():
    graphs = GraphCache("model", lambda x: x * 2, entered())
    assert asked(graphs, torch.ones(3)).outputs.dtype is torch.float32
    assert asked(graphs, torch.ones(3, dtype=torch.int32)).outputs.dtype is torch.int32


def test_a_method_that_changes_its_inputs_has_a_graph():
    graphs = GraphCache("model", lambda x: x.add_(1), entered())
    assert asked(graphs, torch.ones(3)) is not None


def test_a_graph_that_knows_the_numbers_of_its_capture(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(FakeGraph, "replay", lambda graph: None)
    graphs = GraphCache("model", lambda x: x * 2, entered())
    assert asked(graphs, torch.arange(3.0)) is None
    assert not graphs.is_on


def test_who_is_turned_off_keeps_no_graphs():
    device = entered()
    graphs = GraphCache("model", lambda x: x * 2, device)
    assert asked(graphs, torch.ones(1)) is not None
    device.capture_error = RuntimeError("operation not permitted when stream is capturing")
    assert asked(graphs, torch.ones(2)) is None
    assert (graphs.is_on, len(graphs)) == (False, 0)


def test_a_device_that_fails_in_a_capture_is_no_fault_of_graphs():
    device = entered()
    device.capture_error = RuntimeError(CUDA_ERROR)
    graphs = GraphCache("model", lambda x: x * 2, device)
    with pytest.raises(RuntimeError, match=CUDA_ERROR):
        asked(graphs, torch.ones(1))
    assert graphs.is_on


def test_nobody_gives_memory_back_during_a_capture(monkeypatch: pytest.MonkeyPatch):
    seen: list[bool] = []
    device = entered()
    graphs = GraphCache("model", lambda x: x * 2, device)
    capture = device.capture

    def recorded(*arguments: Any) -> FakeGraph:
        seen.append(ALLOCATOR.locked())
        return capture(*arguments)

    monkeypatch.setattr(device, "capture", recorded)
    asked(graphs, torch.ones(1))
    assert seen == [True]
    assert not ALLOCATOR.locked()


def test_what_is_no_tensor_has_no_graph():
    device = entered()
    method = DeviceMethod(torch.mul, device, None, GraphCache("model", torch.mul, device))
    for _ in range(EAGER_RUNS + 2):
        launch = method.launch([[torch.ones(3), 2]], 0)
        launch.progress.wait()
        assert launch.outputs.tolist() == [2.0, 2.0, 2.0]


def test_graphs_are_counted_while_others_come_and_go(monkeypatch: pytest.MonkeyPatch):
    """By the thread that watches the cards."""
    graphs = GraphCache("model", lambda x: x * 2, FakeAccelerator())
    seen: list[bool] = []

    class Caches:
        def __iter__(self) -> Iterator[GraphCache]:
            seen.append(cuda_graphs._caches_lock.locked())
            yield graphs

    class Busy(Entry):
        """Another thread adds a shape while it is looked at."""

        def __getattribute__(self, name: str) -> Any:
            if name == "graph":
                graphs._entries[((torch.Size([len(graphs._entries)]), torch.int8),)] = Entry()
            return super().__getattribute__(name)

    for rows in (1, 2):
        shapes = ((torch.Size([rows]), torch.float32),)
        graphs._entries[shapes] = Busy(graph=FakeGraph(torch.neg, [torch.ones(rows)]))
    monkeypatch.setattr(cuda_graphs, "_caches", Caches())
    assert graphs_on(torch.device("cpu")) == 2
    assert seen == [True]


def test_what_a_method_copies_itself_is_left_as_it_is(caplog: pytest.LogCaptureFixture):
    """It has arrived once the launch has ended; a replay would write it while it is read."""

    def elsewhere(x: torch.Tensor) -> torch.Tensor:
        return x.to("meta")

    device = entered()
    graphs = GraphCache("model", elsewhere, device)
    method = DeviceMethod(elsewhere, device, None, graphs)
    for _ in range(EAGER_RUNS + 2):
        assert launched(method, torch.ones(3)).device.type == "meta"
    assert device.counts["copy_out"] == 0
    assert not graphs.is_on
    assert "results in host memory" in caplog.text

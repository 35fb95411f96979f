"""Streams, captures and copies of a card: in which order torch is asked, and on a real one."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from tests.support.client import in_a_thread
from tests.support.fake_device import FakeAccelerator
from torch_serving.engine import cuda_accelerator, cuda_graphs
from torch_serving.engine.cuda_accelerator import CudaAccelerator, CudaGraph
from torch_serving.engine.cuda_graphs import EAGER_RUNS, GraphCache

CARD = torch.device("cuda", 0)
UNENDED = "CUDA error: operation failed due to a previous error during capture"
cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]


class Stream:
    device = CARD

    def __init__(self, torch_cuda: "TorchCuda") -> None:
        self._torch_cuda = torch_cuda

    def wait_stream(self, stream: "Stream") -> None:
        self._torch_cuda.calls.append("wait")

    def synchronize(self) -> None:
        self._torch_cuda.calls.append("synchronize")


class Graph:
    """torch.cuda.CUDAGraph: a capture that fails leaves the allocator as it is."""

    def __init__(self, torch_cuda: "TorchCuda") -> None:
        self._torch_cuda = torch_cuda

    def capture_begin(self, pool: int, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        self._torch_cuda.users[pool] += 1
        self._torch_cuda.underway.add(pool)
        self._torch_cuda.capturing = self._pool = pool

    def capture_end(self) -> None:
        self._torch_cuda.capturing = None
        if self._torch_cuda.bad_captures:
            self._torch_cuda.bad_captures -= 1
            self._torch_cuda.has_random_numbers = False
            raise RuntimeError(f"{UNENDED}, {self._torch_cuda.bad_captures} more will")
        self._torch_cuda.has_random_numbers = True
        self._torch_cuda.end(CARD.index, self._pool)

    def replay(self) -> None:
        self._torch_cuda.calls.append("replay")


class TorchCuda:
    """What of torch a capture uses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.at_end_of_device: Callable[[], Any] = lambda: None
        self.underway: set[int] = set()
        self.users: Counter[int] = Counter()
        self.capturing: int | None = None
        self.bad_captures = 0  # that are to come
        self.has_random_numbers = True
        self.stream = self.runs = Stream(self)
        self.zeros_made_in: list[int | None] = []  # captures
        monkeypatch.setattr(torch, "zeros", self.zeros)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: Graph(self))
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: 1000)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.stream)
        monkeypatch.setattr(torch.cuda, "stream", self.in_stream)
        monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", self.end)
        monkeypatch.setattr(torch._C, "_cuda_releasePool", self.release)

    def zeros(self, count: int, device: torch.device) -> torch.Tensor:
        self.zeros_made_in.append(self.capturing)
        return torch.empty(count)

    @contextmanager
    def in_stream(self, stream: Stream) -> Iterator[None]:
        before, self.stream = self.stream, stream
        yield
        self.stream = before

    @contextmanager
    def on_device(self, device: torch.device) -> Iterator[None]:
        self.calls.append(device)
        yield
        self.calls.append(self.at_end_of_device())

    def end(self, device: int, pool: int) -> None:
        if pool not in self.underway:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.underway.remove(pool)

    def release(self, device: int, pool: int) -> None:
        self.users[pool] -= 1


@pytest.fixture
def torch_cuda(monkeypatch: pytest.MonkeyPatch) -> TorchCuda:
    return TorchCuda(monkeypatch)


def test_a_method_is_captured_in_a_stream_where_nothing_else_runs(torch_cuda: TorchCuda):
    captures, seen = Stream(torch_cuda), []

    def run(x: torch.Tensor) -> torch.Tensor:
        seen.append((torch_cuda.stream, torch_cuda.capturing))
        torch_cuda.calls.append("run")
        return x * 2

    graph = CudaGraph(run, [torch.ones(2)], 7, captures)  # type: ignore[arg-type]
    assert seen == [(captures, None), (captures, 7)]
    assert torch_cuda.calls == ["wait", "run", "synchronize", "run"]
    assert torch_cuda.stream is torch_cuda.runs
    assert graph.outputs.tolist() == [2.0, 2.0]
    assert (torch_cuda.underway, torch_cuda.users[7]) == (set(), 1)


def test_a_run_that_fails_before_the_capture_reads_no_memory_of_others(torch_cuda: TorchCuda):
    def fail(x: torch.Tensor) -> torch.Tensor:
        raise ValueError("of the model")

    with pytest.raises(ValueError, match="of the model"):
        CudaGraph(fail, [torch.ones(2)], 7, Stream(torch_cuda))  # type: ignore[arg-type]
    assert torch_cuda.calls == ["wait", "synchronize"]


def test_a_capture_leaves_the_inputs_as_they_were(torch_cuda: TorchCuda):
    x = torch.ones(2)
    CudaGraph(lambda x: x.add_(1), [x], 7, Stream(torch_cuda))  # type: ignore[arg-type]
    assert x.tolist() == [1.0, 1.0]


def fail_in_capture(torch_cuda: TorchCuda) -> Callable[[torch.Tensor], torch.Tensor]:
    def run(x: torch.Tensor) -> torch.Tensor:
        if torch_cuda.capturing:
            raise RuntimeError("of the model")
        return x

    return run


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_bad_capture_leaves_the_allocator_as_it_was(torch_cuda: TorchCuda, bad: int):
    """However bad the one that follows it."""
    torch_cuda.bad_captures = bad
    kept = len(cuda_accelerator._unended)
    with pytest.raises(RuntimeError, match=f"{bad - 1} more" if bad else "of the model"):
        CudaGraph(fail_in_capture(torch_cuda), [torch.ones(2)], 7, Stream(torch_cuda))  # type: ignore[arg-type]
    assert torch_cuda.underway == set()
    assert torch_cuda.users[7] == int(not bad)  # a graph that has ended gives its pool back itself
    assert torch_cuda.has_random_numbers == (bad < 2)
    assert len(cuda_accelerator._unended) - kept == bad  # torch may ask them for what they held
    assert torch_cuda.zeros_made_in == [None, 1000]  # its kernel was loaded before


def cache_of(device: FakeAccelerator) -> GraphCache:
    device.enter()
    return GraphCache("model", lambda x: x * 2, device)


def test_a_pool_without_graphs_is_not_used_again():
    device = FakeAccelerator()
    cache = cache_of(device)
    device.capture_error = torch.cuda.OutOfMemoryError("CUDA out of memory")
    for rows in (1, 2, 3, 4):
        for _ in range(EAGER_RUNS + 2):
            cache.find([torch.ones(rows)])
        device.capture_error = None
    first, second, *others = device.pools
    assert first is not second
    assert others == [second, second]
    assert len(cache) == 3


def test_memory_that_torch_keeps_is_given_back_for_a_graph(monkeypatch: pytest.MonkeyPatch):
    emptied = []

    def empty_cache(device: torch.device, error: Exception) -> bool:
        emptied.append(device)
        return True

    monkeypatch.setattr(cuda_graphs, "empty_cache", empty_cache)
    device = FakeAccelerator()
    device.capture_error = torch.cuda.OutOfMemoryError("CUDA out of memory")
    cache = cache_of(device)
    for _ in range(EAGER_RUNS + 9):
        assert cache.find([torch.ones(1)]) is None
    assert device.counts["capture"] == 2
    assert cache.is_on


def test_a_graph_is_dropped_on_its_card(torch_cuda: TorchCuda, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "device", torch_cuda.on_device)
    graph = CudaGraph(lambda x: x, [torch.ones(2)], 7, Stream(torch_cuda))  # type: ignore[arg-type]
    outputs = weakref.ref(graph.outputs)
    torch_cuda.calls.clear()
    torch_cuda.at_end_of_device = lambda: outputs() is None
    del graph
    assert torch_cuda.calls == [CARD, True]


class TestCuda:
    pytestmark = cuda

    def test_pinned_memory_that_is_freed_in_a_capture_is_used_again(self):
        """Torch asks for the end of its copies with an event in the streams that it was used in."""

        def capture() -> None:
            card = CudaAccelerator(CARD)
            card.enter()
            x = torch.ones(1 << 20, device=CARD)
            held = [card.copy_out(x) for _ in range(8)]

            def run(x: torch.Tensor) -> torch.Tensor:
                if torch.cuda.is_current_stream_capturing():
                    in_a_thread(held.clear)
                return x * 2

            graph = card.capture(run, [x], card.graph_pool())
            graph.replay()
            for _ in range(8):
                assert card.copy_out(graph.outputs).shape == x.shape
            torch.cuda.synchronize()

        in_a_thread(capture)

    def test_a_model_that_waits_leaves_memory_and_random_numbers(self):
        def fail() -> None:
            card = CudaAccelerator(CARD)
            card.enter()
            x = torch.ones(1 << 20, device=CARD)
            with pytest.raises(RuntimeError, match="captur"):
                card.capture(lambda x: x * float(x.sum()), [x], card.graph_pool())
            torch.rand(4, device=CARD)
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            before = torch.cuda.memory_allocated(CARD)
            for _ in range(20):  # staged: used in two streams
                card.copy_in([torch.ones(1 << 20).pin_memory()])
                torch.cuda.synchronize()
            torch.empty(1, device=CARD)  # torch frees what it can
            assert torch.cuda.memory_stats(CARD)["active_bytes.all.current"] < before + (8 << 20)
            graph = card.capture(lambda x: x + 1, [x], card.graph_pool())
            graph.replay()
            assert float(graph.outputs[0]) == 2.0

        in_a_thread(fail)

    def test_negated_results(self):
        card = CudaAccelerator(CARD)
        numbers = torch.tensor([1 + 2j, 3 - 4j], device=CARD).conj()
        host = card.copy_out(numbers.imag)
        torch.cuda.synchronize()
        assert host.tolist() == [-2.0, 4.0]

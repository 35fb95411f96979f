"""A device that does what it is told late, and has garbage where it was not waited for.

It keeps one queue of work for each thread, as CUDA has one stream, and does the work only when
somebody waits for it, or runs something in the same thread. Its memory is that of the CPU.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from torch_serving.engine import memory

GARBAGE = 77
POISON = -98765.0  # among the outputs of a run: the device fails for good when it gets there
CUDA_ERROR = "CUDA error: device-side assert triggered"


class FakeStream:
    """The work of one thread, in order."""

    def __init__(self, device: "FakeAccelerator") -> None:
        self._device = device
        self._work: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()

    def add(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._work.append(work)

    def do_all(self) -> None:
        with self._lock:
            while self._work:
                if self._device.is_broken:
                    raise RuntimeError(CUDA_ERROR)
                self._work.popleft()()


class FakeProgress:
    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream
        self._has_ended = False

    def set_copied(self) -> None:
        self._stream.do_all()  # what runs next comes after all this

    def set_run(self) -> None:
        pass

    def set_ended(self) -> None:
        self._stream.add(self._end)

    def _end(self) -> None:
        self._has_ended = True

    def wait(self) -> None:
        self._stream.do_all()

    def has_ended(self) -> bool:
        return self._has_ended

    def seconds(self) -> tuple[float, float]:
        return 0.001, 0.002


class FakeGraph:
    def __init__(self, run: Callable[..., Any], inputs: list[torch.Tensor]) -> None:
        self.inputs = [each.clone() for each in inputs]
        self.replays = 0
        self._thread = threading.get_ident()
        self._run = run
        self.outputs = run(*self.inputs)

    def replay(self) -> None:
        assert threading.get_ident() == self._thread, "captured in another thread"
        self.replays += 1
        self.outputs = self._run(*self.inputs)


class FakeAccelerator:
    """Counts what it is asked for in `counts`, and by which threads in `threads`."""

    def __init__(self, device: torch.device | None = None, pads: bool = True) -> None:
        self.device = device or torch.device("cpu")
        self.pads = pads
        self.is_broken = False
        self.counts: Counter[str] = Counter()
        self.threads: set[str] = set()
        self.graphs: list[FakeGraph] = []
        self.capture_error: Exception | None = None
        self.pools: list[Any] = []  # of the captures
        self._thread = threading.local()

    def _stream(self, what: str) -> FakeStream:
        self.counts[what] += 1
        self.threads.add(threading.current_thread().name)
        if self.is_broken:
            raise RuntimeError(CUDA_ERROR)
        try:
            stream: FakeStream = self._thread.stream
        except AttributeError:
            stream = self._thread.stream = FakeStream(self)
        return stream

    def enter(self) -> None:
        self._stream("enter")
        self._thread.has_entered = True

    def host_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        return garbage(shape, dtype)

    def is_ready(self, tensor: torch.Tensor) -> bool:
        return False

    def copy_in(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        targets = [garbage(each.shape, each.dtype) for each in tensors]
        self._copy("copy_in", targets, tensors)
        return targets

    def copy_into(self, targets: list[torch.Tensor], tensors: list[torch.Tensor]) -> None:
        self._copy("copy_in", targets, tensors)

    def copy_out(self, tensor: torch.Tensor) -> torch.Tensor:
        has_rows = tensor.layout == torch.strided and not (tensor.is_nested or tensor.is_meta)
        if tensor.is_quantized or not has_rows:
            return tensor
        target = garbage(tensor.shape, tensor.dtype)
        source = tensor.clone()
        if bool((source.flatten() == POISON).any()):  # `any` takes 64 dimensions
            self._stream("poison").add(self._break)
        self._copy("copy_out", [target], [source])
        return target

    def _copy(self, what: str, targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
        stream = self._stream(what)
        for target, source in zip(targets, sources, strict=True):
            stream.add(lambda target=target, source=source: target.copy_(source))  # type: ignore[misc]

    def _break(self) -> None:
        self.is_broken = True
        raise RuntimeError(CUDA_ERROR)

    def begin(self) -> FakeProgress:
        return FakeProgress(self._stream("launch"))

    def check(self) -> None:
        self._stream("check")

    def can_capture(self) -> bool:
        return getattr(self._thread, "has_entered", False)

    def capture(self, run: Callable[..., Any], inputs: list[torch.Tensor], pool: Any) -> FakeGraph:
        self._stream("capture").do_all()
        self.pools.append(pool)
        if self.capture_error is not None:
            raise self.capture_error
        graph = FakeGraph(run, inputs)
        self.graphs.append(graph)
        return graph

    def graph_pool(self) -> Any:
        return object()


def garbage(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    return torch.full(tuple(shape), GARBAGE, dtype=dtype)


def emptied_cards(monkeypatch: pytest.MonkeyPatch, opened: int | None = 0) -> list[int | None]:
    """Pretend that CUDA runs on one card; return which one was current when caches were emptied."""
    cards: list[int | None] = []

    @contextmanager
    def device(index: int | None) -> Iterator[None]:
        cards.append(index)
        yield

    def opened_card(device: torch.device | None) -> int | None:
        if device is None:
            return opened
        return device.index if device.type == "cuda" else None

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(memory, "opened_card", opened_card)
    return cards

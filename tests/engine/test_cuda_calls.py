"""What torch is asked for where a thread uses a card: devices, memory, events; without a card."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from torch_serving.engine import cuda_accelerator
from torch_serving.engine.cuda_accelerator import PINNED_BYTES, CudaAccelerator, CudaProgress

CARD = torch.device("cuda", 1)


@pytest.fixture
def pageable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that is pinned needs a card."""
    for name in ("empty", "zeros"):
        make: Callable[..., torch.Tensor] = getattr(torch, name)

        def other(*args: Any, make: Any = make, pin_memory: bool = False, **kwargs: Any) -> Any:
            return make(*args, **kwargs)

        monkeypatch.setattr(torch, name, other)


@pytest.mark.usefixtures("pageable")
def test_the_times_of_a_launch(monkeypatch: pytest.MonkeyPatch):
    now_ms = [0]
    stream: Any = object()

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self, where: Any) -> None:
            assert where is stream
            self.at_ms = now_ms[0]

        def elapsed_time(self, later: "Event") -> int:
            return later.at_ms - self.at_ms

    monkeypatch.setattr(torch.cuda, "Event", Event)
    progress = CudaProgress(stream, torch.ones(1, dtype=torch.uint8))
    for took_ms, mark in (
        (300, progress.set_copied),
        (7000, progress.set_run),
        (20, progress.set_ended),
    ):
        assert not progress.has_ended()
        now_ms[0] += took_ms
        mark()
    assert progress.seconds() == (0.32, 7.0)
    assert progress.has_ended()  # without an event, which a device that failed since would refuse


def test_a_thread_gets_its_card_and_then_streams(monkeypatch: pytest.MonkeyPatch):
    calls: list[Any] = []
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(torch.cuda, "set_stream", calls.append)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: ("stream of", device))
    card = CudaAccelerator(CARD)
    assert not card.can_capture()
    card.enter()
    assert calls == [CARD, ("stream of", CARD)]
    assert card.can_capture()


@pytest.mark.parametrize(("size", "is_pinned"), [(PINNED_BYTES, False), (PINNED_BYTES + 1, True)])
def test_memory_is_pinned_where_the_driver_takes_it_late(
    monkeypatch: pytest.MonkeyPatch, size: int, is_pinned: bool
):
    pinned: list[bool] = []
    empty = torch.empty
    monkeypatch.setattr(
        torch, "empty", lambda shape, dtype, pin_memory: pinned.append(pin_memory) or empty(shape)
    )
    card = CudaAccelerator(CARD)
    card.host_tensor((size, 1), torch.uint8)
    assert pinned == [is_pinned]
    assert card.is_ready(torch.zeros(size, dtype=torch.uint8)) is not is_pinned


def test_what_is_strided_is_not_ready():
    card = CudaAccelerator(CARD)
    assert card.is_ready(torch.ones(2, 3))
    assert not card.is_ready(torch.ones(2, 3).t())


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_results_that_have_no_strides_are_waited_for():
    sparse = torch.eye(2).to_sparse()
    quantized = torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8)
    for tensor in (sparse, quantized):
        assert CudaAccelerator(CARD).copy_out(tensor) is tensor  # torch waits, unless asked not to


def test_what_sets_the_end_of_a_launch_is_made_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: object())
    seen: list[Any] = []
    monkeypatch.setattr(cuda_accelerator, "CudaProgress", lambda stream, one: seen.append(one))
    card = CudaAccelerator(CARD)
    for _ in range(3):
        card.begin()
    assert (len(seen), len(set(seen))) == (3, 1)


def test_each_method_has_memory_of_its_own_for_graphs(monkeypatch: pytest.MonkeyPatch):
    handles = iter([(0, 1), (0, 2)])
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: next(handles))
    card = CudaAccelerator(CARD)
    assert card.graph_pool() != card.graph_pool()


def test_no_negation_is_left_for_what_has_not_arrived(monkeypatch: pytest.MonkeyPatch):
    """The CPU negates the result of such a copy at once, before the device has written it."""
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, pin_memory: empty(shape, dtype=dtype))
    sources: list[torch.Tensor] = []

    def copy(target: torch.Tensor, source: torch.Tensor, non_blocking: bool) -> torch.Tensor:
        sources.append(source)
        return target

    monkeypatch.setattr(torch.Tensor, "copy_", copy)
    conjugate = torch.tensor([1 + 2j, 3 - 4j]).conj()
    for tensor in (conjugate, conjugate.imag):
        CudaAccelerator(CARD).copy_out(tensor)
    assert [each.is_conj() or each.is_neg() for each in sources] == [False, False]
    assert sources[1].tolist() == [-2.0, 4.0]


def test_a_thread_of_several_cards_runs_on_that_of_the_model(monkeypatch: pytest.MonkeyPatch):
    """A model that says `cuda` alone means the current card of the thread."""
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch, "ones", lambda *_, **__: None)
    monkeypatch.setattr(cuda_accelerator, "CudaProgress", lambda *_: None)
    cards = [CudaAccelerator(torch.device("cuda", index)) for index in (1, 0)]
    for card in (*cards, *cards):
        card.begin()
    assert [each.index for each in chosen] == [1, 0, 1, 0]


def test_whoever_waits_is_on_the_card_of_the_launch(monkeypatch: pytest.MonkeyPatch):
    """CUDA starts on the current card of a thread, which is the first one unless it was told."""
    calls: list[Any] = []
    event = SimpleNamespace(record=lambda _: None, synchronize=lambda: calls.append("wait"))
    monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: event)
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: None)
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    second = torch.device("cuda", 1)
    CudaProgress(SimpleNamespace(device=second), torch.ones(1)).wait()  # type: ignore[arg-type]
    assert calls == [second, "wait"]


def test_results_on_another_card_are_waited_for():
    """The end of a launch is one of this card's stream."""

    class Elsewhere:
        is_quantized = is_nested = is_meta = False
        layout = torch.strided
        is_cuda = True
        device = torch.device("cuda", 0)

        def cpu(self) -> str:
            return "waited"

    assert CudaAccelerator(CARD).copy_out(Elsewhere()) == "waited"  # type: ignore[arg-type, comparison-overlap]


def test_a_card_is_asked_whether_it_has_failed(monkeypatch: pytest.MonkeyPatch):
    def query() -> bool:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(query=query))
    with pytest.raises(RuntimeError, match="launch failure"):
        CudaAccelerator(CARD).check()

"""A card whose memory runs out, without a card: torch's errors, and what is done about them."""

import functools
import weakref
from typing import Any

import pytest
import torch

from tests.support.fake_device import emptied_cards
from torch_serving.engine import memory
from torch_serving.engine.device_errors import device_error
from torch_serving.errors import OutOfMemory

CARD = torch.device("cuda", 0)
GIB = 1 << 30
FULL = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 139.80 GiB of "
    "which 1.50 GiB is free. Process 7 has 80.00 GiB memory in use. Including non-PyTorch memory, "
    "this process has 58.30 GiB memory in use. Of the allocated memory 50.00 GiB is allocated by "
    "PyTorch, with 12.00 MiB allocated in private pools (e.g., CUDA Graphs), and 7.00 GiB is "
    "reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting "
    "PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
LIMITED = FULL.replace("use. Of the", "use. 60.00 GiB allowed; Of the").replace("1.50", "70.00")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (FULL, int(18.5 * GIB)),
        (LIMITED, 17 * GIB),  # of 60 GiB, 57 are taken
        (LIMITED.replace("which 70.00", "which 1.50"), int(18.5 * GIB)),
        (FULL.replace("20.00 GiB", "512 bytes"), 0),
        ("CUDA out of memory. Tried to allocate 2.00 MiB.", None),
        ("[enforce fail at alloc_cpu.cpp:121] can't allocate memory: you tried to allocate", None),
    ],
)
def test_what_was_missing_is_read_from_the_error(text: str, missing: int | None):
    error = device_error(torch.cuda.OutOfMemoryError(text))
    assert isinstance(error, OutOfMemory)
    assert error.missing_bytes == missing


class Card:
    """A card's allocator: what was called, and the errors of the next runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.cards = emptied_cards(monkeypatch, 1)
        monkeypatch.setattr(torch.cuda, "empty_cache", self.empty_cache)

    def empty_cache(self) -> None:
        assert memory.ALLOCATOR.locked()  # no capture is under way
        self.calls.append("empty")

    def free_memory(self, device: torch.device, missing_bytes: int | None) -> bool:
        self.calls.append((device, missing_bytes))
        return True

    def retry(self, errors: list[Exception | None]) -> Exception | None:
        self.calls.append("retry")
        return errors.pop(0)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def test_the_cache_goes_first_and_models_only_if_that_was_too_little(card: Card):
    again = functools.partial(card.retry, [None])
    memory.retry_with_more_memory(OutOfMemory(), CARD, again, card.free_memory)
    assert card.calls == ["empty", "retry"]
    card.calls.clear()
    last = OutOfMemory("for good", 5)
    again = functools.partial(card.retry, [OutOfMemory("still", 7), last])
    left = memory.retry_with_more_memory(OutOfMemory("", 9), CARD, again, card.free_memory)
    assert left is last
    assert card.calls == ["empty", "retry", (CARD, 7), "retry"]


def test_another_error_of_the_second_run_is_the_job_s(card: Card):
    other = ValueError()
    again = functools.partial(card.retry, [other])
    assert memory.retry_with_more_memory(OutOfMemory(), CARD, again, card.free_memory) is other
    assert card.calls == ["empty", "retry"]


def test_on_the_cpu_there_is_no_cache_to_empty(card: Card):
    again = functools.partial(card.retry, [None])
    cpu = torch.device("cpu")
    memory.retry_with_more_memory(OutOfMemory(), cpu, again, card.free_memory)
    assert card.calls == [(cpu, None), "retry"]


def test_cuda_is_never_initialised_for_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", pytest.fail)
    assert not memory.empty_cache()
    assert not memory.empty_cache(CARD)


def test_a_card_that_is_not_in_use_is_left_alone(card: Card):
    """CUDA starts on the current card of a thread, which is the first one unless it was told."""
    memory.empty_cache()
    memory.empty_cache(torch.device("cuda", 3))
    assert card.cards == [1, 3]


def test_an_error_keeps_no_tensors_of_its_frames(card: Card):
    kept: list[weakref.ref[torch.Tensor]] = []

    def run_out() -> None:
        activations = torch.zeros(3)
        kept.append(weakref.ref(activations))
        raise torch.cuda.OutOfMemoryError(FULL)

    def translated() -> None:
        try:
            run_out()
        except RuntimeError as error:
            raise OutOfMemory from error

    def retry() -> None:
        assert kept[0]() is None

    try:
        translated()
    except OutOfMemory as error:
        assert kept[0]() is not None
        memory.retry_with_more_memory(error, CARD, retry, card.free_memory)
    assert card.calls == ["empty"]


def test_the_error_of_the_second_run_keeps_none_either(card: Card):
    kept: list[weakref.ref[torch.Tensor]] = []

    def retry() -> Exception:
        try:
            activations = torch.zeros(3)
            kept.append(weakref.ref(activations))
            raise OutOfMemory("still")
        except OutOfMemory as error:
            return error

    def free_memory(device: torch.device, missing_bytes: int | None) -> bool:
        assert kept[0]() is None
        return False

    left = memory.retry_with_more_memory(OutOfMemory(), CARD, retry, free_memory)
    assert isinstance(left, OutOfMemory)


def test_errors_that_are_causes_of_each_other():
    first, second = OutOfMemory("first"), OutOfMemory("second")
    first.__cause__, second.__cause__ = second, first
    memory.forget_frames(first)

"""Models that make room on a card, and cards that get back what models held; without a card."""

import gc
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.client import LIMIT_S
from tests.support.fake_device import emptied_cards
from tests.support.model_folder import CPU, FakeServable, ModelFolder
from torch_serving.errors import InvalidServable, OutOfMemory

CARD, OTHER_CARD = torch.device("cuda", 0), torch.device("cuda", 1)


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released whenever the cache of the allocator of cards is emptied."""
    emptied = threading.Semaphore(0)
    emptied_cards(monkeypatch)
    monkeypatch.setattr(torch.cuda, "empty_cache", emptied.release)
    return emptied


def loaded_on(folder: ModelFolder, device: torch.device) -> str:
    return "".join(
        each.identifier[0] for each in folder.models.cache.values() if each.device == device
    )


@pytest.mark.parametrize(
    ("missing_bytes", "made_room", "left"),
    [
        (1000, False, "dcba"),  # an impossible allocation evicts nothing
        (4, False, "dcba"),  # the newest is in use
        (3, True, "d"),
        (2, True, "dc"),
        (1, True, "dcb"),
        (0, False, "dcba"),
        (None, True, "d"),
    ],
)
def test_models_are_dropped_only_if_what_they_hold_is_enough(
    folder: ModelFolder, missing_bytes: int | None, made_room: bool, left: str
):
    """Each of them holds a byte."""
    for name, device in zip("xyabcd", (CPU, OTHER_CARD, *[CARD] * 4), strict=True):
        folder.write(f"{name}.pt")
        folder.ask(f"{name}.pt", device)
    assert folder.models.free_memory(CARD, missing_bytes) is made_room
    assert [loaded_on(folder, each) for each in (CPU, OTHER_CARD, CARD)] == ["x", "y", left]


def test_the_model_in_use_may_be_on_another_device(folder: ModelFolder):
    folder.write("a.pt", "x.pt")
    folder.ask("a.pt", CARD)
    folder.ask("x.pt")
    assert folder.models.free_memory(CARD, 1)
    assert loaded_on(folder, CARD) == ""


class FullCard:
    """A card with room for some models, each of a byte."""

    def __init__(self, folder: ModelFolder, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._room = room
        self._needed = 1
        folder.before_load = self.before_load
        monkeypatch.setattr("torch_serving.models.room.free_bytes", lambda _: self.free())

    def free(self) -> int:
        return self._room - len(loaded_on(self._folder, CARD))

    def before_load(self, path: Path) -> None:
        self._needed = path.stat().st_size
        if self.free() < self._needed:
            raise OutOfMemory("the model needs more memory", 1)

    def load(self, name: str, needed: int) -> bool:
        """Load a model whose file has so many bytes; return whether there was room."""
        (self._folder.root / name).write_bytes(b"x" * needed)
        try:
            self._folder.ask(name, CARD)
        except OutOfMemory:
            return False
        return True


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize(
    ("room", "needed", "is_loaded", "left", "tries"),
    [
        (5, 1, True, "ncba", 1),
        (3, 1, True, "ncb", 2),  # the one that was not used for longest goes
        (3, 2, True, "nc", 2),  # as many as are needed go at once
        (3, 3, True, "n", 2),  # also the one that was used last
        (3, 4, False, "cba", 1),  # one that can't fit costs no other its place
    ],
)
def test_a_load_that_finds_a_card_full_drops_idle_models_if_that_is_enough(
    folder: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
    needed: int,
    is_loaded: bool,
    left: str,
    tries: int,
):
    card = FullCard(folder, room, monkeypatch)
    for name in "abc":
        assert card.load(f"{name}.pt", 1)
    folder.write("x.pt")
    folder.before_load = lambda path: None
    folder.ask("x.pt")  # on the CPU, where it stays
    folder.before_load = card.before_load
    folder.loads.clear()
    assert card.load("new.pt", needed) is is_loaded
    assert loaded_on(folder, CARD) == left
    assert loaded_on(folder, CPU) == "x"
    assert len(folder.loads) == tries


@pytest.mark.usefixtures("emptied")
def test_a_file_that_is_removed_while_its_model_finds_a_card_full(folder: ModelFolder):
    def before_load(path: Path) -> None:
        path.unlink()
        raise OutOfMemory("the model needs more memory", 1)

    folder.write("a.pt")
    folder.before_load = before_load
    with pytest.raises(InvalidServable, match="there is no such file"):
        folder.ask("a.pt", CARD)


def test_a_card_without_room_for_cuda_itself_costs_no_model_its_place(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is there that could be given back: asking torch would fail as the load did."""
    card = FullCard(folder, 3, monkeypatch)
    for name in "abc":
        assert card.load(f"{name}.pt", 1)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch._C, "_cuda_hasPrimaryContext", lambda index: False, raising=False)
    monkeypatch.setattr(torch.cuda, "empty_cache", pytest.fail)
    assert not card.load("new.pt", 1)
    assert loaded_on(folder, CARD) == "cba"


@pytest.mark.usefixtures("emptied")
def test_a_model_that_made_room_for_itself_is_not_kept_by_the_error_before(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
):
    """The error's frames lead to the load that succeeded, and to the model."""
    card = FullCard(folder, 1, monkeypatch)
    assert card.load("a.pt", 1)
    gc.disable()
    try:
        assert card.load("b.pt", 1)
        gone = weakref.ref(folder.ask("b.pt", CARD))
        folder.models.unload("b.pt")
        folder.models._queue._threads.shutdown()  # each keeps what it did last
        assert gone() is None
    finally:
        gc.enable()


def test_a_newer_file_that_finds_no_room_leaves_the_older_one_in_its_place(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
):
    card = FullCard(folder, 1, monkeypatch)
    assert card.load("a.pt", 1)
    assert not card.load("a.pt", 2)
    assert loaded_on(folder, CARD) == "a"


def test_what_is_preloaded_drops_nothing(folder: ModelFolder, monkeypatch: pytest.MonkeyPatch):
    card = FullCard(folder, 1, monkeypatch)
    assert card.load("a.pt", 1)
    folder.write("b.pt")
    with pytest.raises(OutOfMemory):
        folder.models.preload("b.pt", CARD)
    assert loaded_on(folder, CARD) == "a"


def unload(folder: ModelFolder) -> None:
    folder.models.unload("a.pt")


def evict(folder: ModelFolder) -> None:
    folder.write("b.pt")
    folder.ask("b.pt")


def change(folder: ModelFolder) -> None:
    (folder.root / "a.pt").write_bytes(b"changed")
    folder.models.refresh()


def remove(folder: ModelFolder) -> None:
    os.remove(folder.root / "a.pt")
    folder.models.refresh()


@pytest.mark.parametrize("end", [unload, evict, change, remove])
@pytest.mark.parametrize("device", [CARD, CPU])
def test_a_card_gets_back_what_a_model_held(
    folder: ModelFolder,
    emptied: threading.Semaphore,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[ModelFolder], None],
    device: torch.device,
):
    folder = ModelFolder(folder.root, capacity=1)
    threads = []
    alive: list[bool] = []
    folder.write("a.pt")
    gone: weakref.ref[FakeServable] = weakref.ref(folder.ask("a.pt", device))

    def empty_cache() -> None:
        threads.append(threading.current_thread().name)
        alive.append(gone() is not None)
        emptied.release()

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    end(folder)
    if device == CARD:
        assert emptied.acquire(timeout=LIMIT_S)
        while alive[-1]:
            assert emptied.acquire(timeout=LIMIT_S)
        assert all(name.startswith("loader") for name in threads)
    else:
        assert not emptied.acquire(blocking=False)
    folder.models.close()


def test_a_process_without_cuda_gets_none_from_an_unload(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: pytest.fail("it initialises CUDA"))
    folder.write("a.pt", "b.pt")
    folder.ask("a.pt", CARD)
    folder.models.unload("a.pt")
    folder.ask("b.pt")  # the loader has ended what came before

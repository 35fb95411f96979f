"""Models that kill the process: others go on, and the guilty one is kept away."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.client import Client, in_threads, tensor
from tests.support.process import Process, wait_until
from torch_serving.errors import Quarantined
from torch_serving.server.ipc import scoreboard as boards
from torch_serving.server.ipc.scoreboard import MAX_SUSPECTS, SLOTS, Board, board_name

BODY = [tensor([1], [1.0])]


def deaths(board: Board, *names: str) -> list[tuple[str, float]]:
    """A worker dies that ran these."""
    for name in names:
        in_threads(1, lambda _, name=name: board.mark(board_name(name)))
    return board.blame(board.suspects(0))


def test_two_deaths_within_a_minute():
    board = Board(1, 300)
    assert deaths(board, "a.pt", "b.pt") == []
    board.check("a.pt")
    assert deaths(board, "a.pt", "c.pt") == [("a.pt", 300)]
    for name in ("b.pt", "c.pt"):
        board.check(name)
    with pytest.raises(Quarantined, match=r"`a\.pt`: .* again in 300 s") as caught:
        board.check("a.pt")
    assert caught.value.headers == {"Retry-After": "300"}


def test_a_sentence_doubles_and_ends(monkeypatch: pytest.MonkeyPatch):
    now_s = time.monotonic()
    monkeypatch.setattr(boards.time, "monotonic", lambda: now_s)
    board = Board(1, 10)
    for sentence_s in (10, 20, 40):
        assert deaths(board, "a.pt") == []
        assert deaths(board, "a.pt") == [("a.pt", sentence_s)]
        with pytest.raises(Quarantined):
            board.check("a.pt")
        now_s += sentence_s
        board.check("a.pt")


def test_deaths_that_are_long_ago_do_not_count(monkeypatch: pytest.MonkeyPatch):
    now_s = time.monotonic()
    monkeypatch.setattr(boards.time, "monotonic", lambda: now_s)
    board = Board(1, 300)
    for _ in range(5):
        assert deaths(board, "a.pt") == []
        now_s += 61


def test_quarantine_can_be_turned_off():
    board = Board(1, 0)
    assert [deaths(board, "a.pt") for _ in range(5)] == [[]] * 5
    board.check("a.pt")


def test_what_no_longer_runs_is_no_suspect():
    board = Board(2, 300)
    board.mark(board_name("a.pt"))
    board.mark(board_name("b.pt"))
    assert board.suspects(1) == []
    assert board.suspects(0) == ["b.pt"]
    board.mark(board_name("b.pt"))
    board.mark(b"")
    assert board.suspects(0) == []


def test_a_worker_does_not_use_the_slot_that_its_parent_had():
    board = Board(2, 300)
    board.mark(board_name("preloaded.pt"))
    board.mark(b"")
    board.enter(1)
    board.mark(board_name("a.pt"))
    assert board.suspects(0) == []
    assert board.suspects(1) == ["a.pt"]


@pytest.mark.parametrize("name", ["é" * 1000, "a" * 511, "a" * 512, "\U0001f600" * 200])
def test_names_of_any_length(name: str):
    board = Board(1, 300)
    board.mark(board_name(name))
    [suspect] = board.suspects(0)
    assert name.startswith(suspect)


def test_nothing_grows():
    board = Board(1, 300)
    for number in range(3 * MAX_SUSPECTS):
        deaths(board, f"{number}.pt")
        deaths(board, f"{number}.pt")
    assert len(board._deaths) <= MAX_SUSPECTS + 1
    in_threads(2 * SLOTS, lambda index: board.mark(b"%d" % index))


def test_a_model_that_crashes(model_root: Path, start: Callable[..., Process]):
    """It kills its process twice; then it is refused, and nothing else ever fails for long."""
    flags = ["--quarantine", "6", "--preload", "echo.pt"]
    process = start(model_root, "--port", "0", *flags)
    url = process.url

    def crash() -> int:
        try:
            with Client(url) as client:
                return client.post("crashing.pt", BODY).status
        except OSError:
            return 0

    def good() -> None:
        with Client(url) as client:
            assert client.post("echo.pt", BODY).result == BODY[0]

    for _ in range(2):
        assert crash() == 0
        good()
    wait_until(lambda: "crashing.pt is in quarantine for 6 s" in process.stderr)
    assert "(signal SIGSEGV)" in process.stderr
    assert "running crashing.pt" in process.stderr
    with Client(url) as client:
        answer = client.post("crashing.pt", BODY)
        assert (answer.status, answer.document["description"]) == (503, "Model quarantined")
        assert "`crashing.pt`: " in answer.document["detail"]
        assert 1 <= int(answer.headers["retry-after"]) <= 6
    died = process.stderr.count("died")
    good()
    assert process.stderr.count("died") == died
    wait_until(lambda: crash() == 0)  # the sentence is over: it gets another chance
    good()

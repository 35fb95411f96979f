"""Models that kill the process: others go on, and the guilty one is kept away."""

import json
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.client import (
    Client,
    RawConnection,
    in_threads,
    scalar,
    tensor,
    with_length,
)
from tests.support.process import Process, wait_until
from torch_serving.errors import Quarantined
from torch_serving.models.identifiers import shared_name
from torch_serving.server.ipc import quarantine
from torch_serving.server.ipc.quarantine import MAX_TRACKED, Quarantine
from torch_serving.server.ipc.scoreboard import SLOTS, Scoreboard
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.supervisor import Hooks, Supervisor
from torch_serving.server.worker_pool import WorkerState

BODY = [tensor([1], [1.0])]


class Parent:
    """The scoreboard and the quarantine of a server with one worker."""

    def __init__(self, duration_s: float) -> None:
        self.scoreboard = Scoreboard(1)
        self.quarantine = Quarantine(duration_s)
        self.check = self.quarantine.check

    def crash(self, *names: str) -> list[tuple[str, float]]:
        """A worker crashes that runs these models."""
        for name in names:
            in_threads(1, lambda _, name=name: self.scoreboard.set_running(name))
        running = self.scoreboard.running_in(0)
        self.scoreboard.clear(0)
        return self.quarantine.record_crash(running)


def test_two_crashes_within_a_minute():
    parent = Parent(300)
    assert parent.crash("a.pt", "b.pt") == []
    parent.check("a.pt")
    assert parent.crash("a.pt", "c.pt") == [("a.pt", 300)]
    for name in ("b.pt", "c.pt"):
        parent.check(name)
    with pytest.raises(Quarantined, match=r"`a\.pt`: .* again in 300 s") as caught:
        parent.check("a.pt")
    assert caught.value.headers == {"Retry-After": "300"}


def test_models_that_always_ran_together_are_not_told_apart():
    parent = Parent(300)
    assert [parent.crash("a.pt", "b.pt") for _ in range(3)] == [[], [], []]
    assert parent.crash("b.pt") == [("b.pt", 300)]
    parent.check("a.pt")


def test_the_thread_that_crashed_tells_its_model():
    scoreboard = Scoreboard(2)
    scoreboard.attach(1)

    def run(index: int) -> int:
        scoreboard.set_running(f"{index}.pt")
        return threading.get_ident()

    threads = [in_threads(1, lambda _, index=index: run(index))[0] for index in range(2)]
    assert scoreboard.run_by(1, threads[-1]) == ["1.pt"]
    assert scoreboard.run_by(0, threads[-1]) == scoreboard.run_by(1, None) == []
    scoreboard.clear(1)
    assert scoreboard.run_by(1, threads[-1]) == []


@pytest.mark.parametrize("code", [-signal.SIGKILL, -signal.SIGTERM, 1, 0])
def test_what_others_ended_judges_nobody(shared: SharedState, code: int):
    supervisor = Supervisor(1, Hooks(lambda channel: 0), shared)
    [worker] = supervisor._pool.workers
    for _ in range(3):
        shared.scoreboard.attach(worker.slot)
        shared.set_running("a.pt")
        worker.state = WorkerState.READY
        supervisor._on_exit(worker, code)
    shared.check_quarantine("a.pt")


def test_a_model_that_ran_beside_is_innocent(model_root: Path, start: Callable[..., Process]):
    process = start(model_root, "--port", "0", "--threads", "2", "--preload", "slow.pt")
    url = process.url
    endless = json.dumps([tensor([1], [1]), scalar(10**12, "int")]).encode()
    for crashes in (1, 2):
        with RawConnection(url) as beside:
            beside.send(with_length(endless, "/serve?servable_identifier=slow.pt"))
            with Client(url) as client:
                for _ in range(3):  # once these are responded to, the former one runs
                    client.get("/healthcheck")
            with suppress(OSError), Client(url) as client:
                client.post("crashing.pt", BODY)
        wait_until(lambda count=crashes: process.stderr.count("(signal SIGSEGV)") == count)
    wait_until(lambda: "crashing.pt is in quarantine" in process.stderr)
    assert "slow.pt is in quarantine" not in process.stderr


def test_a_quarantine_doubles_and_ends(monkeypatch: pytest.MonkeyPatch):
    now_s = time.monotonic()
    monkeypatch.setattr(quarantine.time, "monotonic", lambda: now_s)
    parent = Parent(10)
    for duration_s in (10, 20, 40):
        assert parent.crash("a.pt") == []
        assert parent.crash("a.pt") == [("a.pt", duration_s)]
        with pytest.raises(Quarantined):
            parent.check("a.pt")
        now_s += duration_s
        parent.check("a.pt")


def test_crashes_that_are_long_ago_do_not_count(monkeypatch: pytest.MonkeyPatch):
    now_s = time.monotonic()
    monkeypatch.setattr(quarantine.time, "monotonic", lambda: now_s)
    parent = Parent(300)
    for _ in range(5):
        assert parent.crash("a.pt") == []
        now_s += 61


def test_quarantine_can_be_turned_off():
    parent = Parent(0)
    assert [parent.crash("a.pt") for _ in range(5)] == [[]] * 5
    parent.check("a.pt")


def test_the_scoreboard_shows_what_still_runs():
    scoreboard = Scoreboard(2)
    scoreboard.set_running("a.pt")
    scoreboard.set_running("b.pt")
    assert scoreboard.running_in(1) == []
    assert scoreboard.running_in(0) == ["b.pt"]
    scoreboard.clear(0)
    assert scoreboard.running_in(0) == []
    scoreboard.set_running("b.pt")
    scoreboard.set_running("")
    assert scoreboard.running_in(0) == []


def test_a_worker_does_not_use_the_slot_that_its_parent_had():
    scoreboard = Scoreboard(2)
    scoreboard.set_running("preloaded.pt")
    scoreboard.set_running("")
    scoreboard.attach(1)
    scoreboard.set_running("a.pt")
    assert scoreboard.running_in(0) == []
    assert scoreboard.running_in(1) == ["a.pt"]


@pytest.mark.parametrize("name", ["é" * 1000, "a" * 511, "a" * 512, "\U0001f600" * 200])
def test_names_of_any_length(name: str):
    scoreboard = Scoreboard(1)
    scoreboard.set_running(name)
    [running] = scoreboard.running_in(0)
    assert (running == name) is (len(name.encode()) <= 512)
    assert scoreboard.running_in(0) == [shared_name(name)]
    parent = Parent(300)
    for _ in range(2):
        parent.crash(name)
    with pytest.raises(Quarantined):
        parent.quarantine.check(shared_name(name))


def test_nothing_grows():
    parent = Parent(300)
    for number in range(3 * MAX_TRACKED):
        parent.crash(f"{number}.pt")
        parent.crash(f"{number}.pt")
    assert len(parent.quarantine._crashes) <= MAX_TRACKED + 1
    in_threads(2 * SLOTS, lambda index: parent.scoreboard.set_running(str(index)))


def crash(url: str) -> int:
    """Ask for the model that kills its process; return the status, 0 without a response."""
    try:
        with Client(url) as client:
            return client.post("crashing.pt", BODY).status
    except OSError:
        return 0


def check_echo(url: str) -> None:
    with Client(url) as client:
        assert client.post("echo.pt", BODY).result == BODY[0]


def test_a_model_that_crashes(model_root: Path, start: Callable[..., Process]):
    """It kills its process twice; then it is refused, and nothing else ever fails for long."""
    flags = ["--quarantine", "300", "--preload", "echo.pt"]
    process = start(model_root, "--port", "0", *flags)
    url = process.url
    for _ in range(2):
        assert crash(url) == 0
        check_echo(url)
    wait_until(lambda: "crashing.pt is in quarantine for 300 s" in process.stderr)
    assert "(signal SIGSEGV)" in process.stderr
    assert "running crashing.pt" in process.stderr
    with Client(url) as client:
        response = client.post("crashing.pt", BODY)
        assert (response.status, response.document["description"]) == (503, "Model quarantined")
        assert "`crashing.pt`: " in response.document["detail"]
        assert 1 <= int(response.headers["retry-after"]) <= 300
    check_echo(url)
    wait_until(lambda: process.stderr.count("died") >= 2)  # the line comes after the quarantine's
    assert process.stderr.count("died") == 2


def test_a_model_gets_another_chance(model_root: Path, start: Callable[..., Process]):
    flags = ["--quarantine", "1", "--preload", "echo.pt"]
    process = start(model_root, "--port", "0", *flags)
    url = process.url
    for _ in range(2):
        assert crash(url) == 0
    wait_until(lambda: "crashing.pt is in quarantine for 1 s" in process.stderr)
    wait_until(lambda: crash(url) == 0)
    check_echo(url)

"""Devices that workers go on without: they are tried again, and workers replaced."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import exit_code_of_child, is_alive, wait_until
from torch_serving.server import device_retry
from torch_serving.server.device_retry import DeviceRetry
from torch_serving.server.ipc.shared_state import SharedState
from torch_serving.server.parent_channel import ParentChannel
from torch_serving.server.supervisor import Hooks, Supervisor

FAILED, ANSWERED = 256, 0  # statuses of processes


def test_workers_are_replaced_once_a_device_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: SharedState
):
    monkeypatch.setattr(device_retry, "FIRST_DELAY_S", 0.01)
    answers, tries, pids = (tmp_path / name for name in ("answers", "tries", "pids"))

    def serve(channel: ParentChannel) -> int:
        is_first = not pids.exists()
        shared.statistics.device(b"cuda:1").set_up(not is_first)
        if is_first:
            pids.write_text(str(os.getpid()))
        channel.notify_ready()
        if not is_first:
            wait_until(lambda: not is_alive(int(pids.read_text())))
            os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()
        return 0

    def can_open(name: str) -> bool:
        with tries.open("a") as file:
            file.write(f"{name}\n")
        if len(tries.read_text().splitlines()) == 3:
            answers.touch()
        return answers.exists()

    supervise = Supervisor(1, Hooks(serve, can_open=can_open), shared).run
    assert exit_code_of_child(supervise) == 0
    assert tries.read_text().splitlines() == ["cuda:1"] * 3


class Processes:
    """A double of the processes, of their parent's clock, and of the workers' replacement."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.status = FAILED
        self.started = self.replaced = 0
        self.is_busy = False
        self.left_out = {"cuda:0"}
        monkeypatch.setattr(device_retry.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(device_retry, "fork", self.fork)
        monkeypatch.setattr(device_retry.os, "waitpid", lambda pid, _: (pid, self.status))
        self.retry = DeviceRetry(
            lambda name: False,
            lambda: self.left_out,
            self,  # type: ignore[arg-type]
            lambda: None,
        )

    def fork(self, run: object) -> int:
        self.started += 1
        return 4242

    def replace_workers(self) -> bool:
        self.replaced += 1
        return True

    def plan(self) -> float | None:
        """Plan a try; return when the parent looks again."""
        self.retry.advance()
        return self.retry.timeout_s()

    def delay_s(self) -> float | None:
        """Plan a try; return when it is due, and have it end then."""
        delay_s = self.plan()
        self.now_s += delay_s or 0
        self.retry.advance()
        self.retry.reap()
        return delay_s


@pytest.fixture
def processes() -> Iterator[Processes]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Processes(monkeypatch)


def test_the_delay_doubles_until_all_devices_serve(processes: Processes):
    assert [processes.delay_s() for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert (processes.started, processes.replaced) == (6, 0)
    processes.status = ANSWERED
    assert processes.delay_s() == 60
    assert processes.replaced == 1


def test_a_device_that_comes_and_goes_is_not_tried_more_often(processes: Processes):
    assert [processes.delay_s() for _ in range(2)] == [5, 10]
    for served_s, delay_s in ((59, 20), (60, 5)):
        processes.left_out = set()
        processes.now_s += served_s
        assert processes.plan() == 60  # to see a device that fails at a request
        processes.left_out = {"cuda:0"}
        assert processes.plan() == delay_s


def test_no_process_for_a_try(processes: Processes, monkeypatch: pytest.MonkeyPatch):
    def refuse(run: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(device_retry, "fork", refuse)
    assert processes.delay_s() == 5
    assert processes.plan() == 10


@pytest.mark.parametrize("status", [FAILED, signal.SIGALRM, signal.SIGKILL])
def test_a_try_that_does_not_succeed_costs_no_worker(processes: Processes, status: int):
    processes.status = status
    assert processes.delay_s() == 5
    assert (processes.started, processes.replaced) == (1, 0)


def test_nothing_is_tried_while_workers_are_being_replaced(processes: Processes):
    assert processes.plan() == 5
    processes.is_busy = True
    processes.now_s += 10
    assert processes.delay_s() is None  # their end wakes the parent
    assert processes.started == 0


def test_a_stop_plans_nothing_and_replaces_nothing(processes: Processes):
    processes.status = ANSWERED
    processes.plan()
    processes.now_s += 5
    processes.retry.advance()
    assert processes.started == 1
    killed: list[int] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(device_retry, "send_signal", lambda pid, _: killed.append(pid))
        processes.retry.cancel()
    processes.retry.reap()
    assert (killed, processes.replaced) == ([4242], 0)
    assert processes.retry.timeout_s() is None

"""Calls that read files: they may hang, and hold nothing else up."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from tests.support.process import wait_until
from torch_serving.errors import InvalidServable, Overloaded
from torch_serving.service import file_threads
from torch_serving.service.file_threads import MAX_THREADS, in_file_thread


class Disk:
    """Answers once `answers` is set."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked: list[object] = []

    def read(self, name: object = "") -> object:
        self.asked.append(name)
        assert self.answers.wait(60)
        return name


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.answers.set()
    for future in list(file_threads._running.values()):
        future.exception(60)


async def raising() -> None:
    def fail() -> None:
        raise InvalidServable("no")

    await in_file_thread(fail)


def test_a_result_and_an_error_come_back():
    assert asyncio.run(in_file_thread(sorted, (2, 1))) == [1, 2]
    with pytest.raises(InvalidServable):
        asyncio.run(raising())


def test_an_error_of_one_of_equal_calls_is_no_other_call_s():
    told: list[object] = []

    all_wait = threading.Event()

    def fail() -> None:
        assert all_wait.wait(60)
        raise InvalidServable("no")

    async def fail_together() -> list[type]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        failing = asyncio.gather(*[in_file_thread(fail) for _ in range(3)], return_exceptions=True)
        for _ in range(10):
            await asyncio.sleep(0)
        all_wait.set()
        return [type(each) for each in await failing]  # an error holds what was waited for

    assert asyncio.run(fail_together()) == [InvalidServable] * 3
    gc.collect()
    assert told == []


def test_what_does_not_answer_is_an_error_in_time_and_holds_one_thread(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
):
    async def ask_often() -> list[object]:
        calls = [in_file_thread(disk.read) for _ in range(50)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with monkeypatch.context() as patch:
        patch.setattr(file_threads, "LIMIT_S", 0.1)
        for _ in range(2):
            assert {type(outcome) for outcome in asyncio.run(ask_often())} == {Overloaded}
    wait_until(lambda: disk.asked != [])
    assert disk.asked == [""]
    assert asyncio.run(in_file_thread(str, 1)) == "1"


def test_an_equal_call_is_made_after_the_one_before_has_ended(disk: Disk):
    async def ask_twice() -> list[object]:
        calls = [asyncio.ensure_future(in_file_thread(disk.read)) for _ in range(2)]
        await asyncio.sleep(0)
        while not disk.asked:
            await asyncio.sleep(0.001)
        assert len(disk.asked) == 1
        disk.answers.set()
        return await asyncio.gather(*calls)

    assert asyncio.run(ask_twice()) == ["", ""]
    assert len(disk.asked) == 2


def test_the_number_of_threads_is_bounded(disk: Disk):
    async def ask_differently() -> list[object]:
        numbers = range(2 * MAX_THREADS)
        calls = [asyncio.ensure_future(in_file_thread(disk.read, number)) for number in numbers]
        while len(disk.asked) < MAX_THREADS:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert len(disk.asked) == MAX_THREADS
        disk.answers.set()
        return await asyncio.gather(*calls)

    assert asyncio.run(ask_differently()) == list(range(2 * MAX_THREADS))


def test_who_waits_no_more_leaves_the_call_alone(disk: Disk):
    async def give_up() -> None:
        call = asyncio.ensure_future(in_file_thread(disk.read))
        while not disk.asked:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        disk.answers.set()
        assert await in_file_thread(disk.read) == ""

    asyncio.run(give_up())

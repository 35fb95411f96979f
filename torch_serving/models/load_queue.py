"""Threads in which models are loaded, their turns, and waiting for them.

A load may never end: its file may be on a disk that stalls, and a model may compute while it is
loaded. So there are more threads than turns, a turn lasts so long only, and nobody waits longer
than until the deadline of a request.
"""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from torch_serving.engine.events import HUNG_LOAD, OnFatal
from torch_serving.errors import DeadlineExceeded, Overloaded, ShuttingDown

T = TypeVar("T")

THREADS = 32  # of all that may be under way
MAX_PENDING = 256  # loads that run, or wait for a thread
AT_ONCE = 2  # loading is reading a disk and copying, which more at once only slow down
TURN_S = 0.5  # a load that takes longer may never end, and another one begins beside it
REPLACING_S = 10.0  # a newer file is waited for no longer; then the older model serves
STILL_LOADING = "the model is still being loaded when the deadline has come"


class Loading(NamedTuple):
    """A load that is under way."""

    future: "Future[Any]"
    started_s: float


class LoadQueue:
    """Runs loads in threads of its own. Safe to use from any thread."""

    def __init__(self, on_fatal: OnFatal, at_once: int = AT_ONCE, turn_s: float = TURN_S) -> None:
        """`on_fatal` is called for a load that does not end, once `limit_s` is set."""
        self.limit_s: float | None = None
        self._on_fatal = on_fatal
        self._at_once = at_once
        self._turn_s = turn_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="loader")
        self._pending = 0
        self._loading: dict[str, Loading] = {}
        self._turns: list[float] = []  # when the turns of those that load end
        self._changed = threading.Condition()  # guards all of these

    def submit(self, load: Callable[[], T], key: str = "") -> "Future[T]":
        """Have a thread call a function, or join a call with the same key that is under way.

        Raises Overloaded if too many are pending.
        """
        with self._changed:
            if key in self._loading:
                return self._loading[key].future
            if self._pending >= MAX_PENDING:
                raise Overloaded(f"{MAX_PENDING} models are being loaded already")
            future = self._threads.submit(self._run, load, key)
            self._pending += 1
            if key:
                self._loading[key] = Loading(future, time.monotonic())
            return future

    def _run(self, load: Callable[[], T], key: str) -> T:
        try:
            return load()
        finally:  # before anybody has the result: who asks again has another load
            with self._changed:
                self._pending -= 1
                self._loading.pop(key, None)

    def is_loading(self, key: str, for_s: float = 0.0) -> bool:
        """Whether a load is under way, and has been for so long."""
        loading = self._loading.get(key)
        return loading is not None and time.monotonic() >= loading.started_s + for_s

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait until others have loaded, or have taken long. This load is watched meanwhile.

        After twice the limit it costs the process: a trial may have taken the limit once.
        """
        end_s = self._take_turn()
        reason = f"{HUNG_LOAD}: {name}"
        watchdog = threading.Timer(2 * (self.limit_s or 0), self._on_fatal, (reason, (name,)))
        watchdog.daemon = True
        if self.limit_s:
            watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            self._give_turn(end_s)

    def _take_turn(self) -> float:
        with self._changed:
            while len(self._turns) >= self._at_once:
                remaining_s = self._turns[0] - time.monotonic()
                if remaining_s > 0:
                    self._changed.wait(remaining_s)
                else:
                    self._turns.pop(0)
            self._turns.append(time.monotonic() + self._turn_s)
            return self._turns[-1]

    def _give_turn(self, end_s: float) -> None:
        with self._changed:
            if end_s in self._turns:  # else another load has it
                self._turns.remove(end_s)
                self._changed.notify()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def wait_until_loaded(loading: "Future[T]", timeout_s: float | None = None) -> T:
    """Wait for a load on an event loop. Others may wait for the same one: it is not cancelled.

    Raises DeadlineExceeded after `timeout_s`; the load goes on.
    """
    waiting = asyncio.shield(asyncio.wrap_future(loading))
    try:
        await asyncio.wait([waiting], timeout=timeout_s)
    except asyncio.CancelledError:
        waiting.cancel()
        raise ShuttingDown("the server stops before the model is loaded") from None
    if not waiting.done():
        waiting.cancel()
        raise DeadlineExceeded(STILL_LOADING)
    try:
        return waiting.result()
    except asyncio.CancelledError:  # the queue was closed
        raise ShuttingDown("the server stops before the model is loaded") from None


def result_within(loading: "Future[T]", timeout_s: float) -> T:
    """Wait for a load in a thread. Raises DeadlineExceeded after `timeout_s`; the load goes on."""
    if not concurrent.futures.wait([loading], timeout_s).done:
        raise DeadlineExceeded(STILL_LOADING)
    return loading.result()

"""The generator of our own: one event loop, which says how far it was the limit itself."""

import asyncio
import gc
import signal
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch_serving.bench.closed_loop import ClosedLoop
from torch_serving.bench.load import Load
from torch_serving.bench.noise import Mark
from torch_serving.bench.open_loop import OpenLoop
from torch_serving.bench.pool import Pool
from torch_serving.bench.recorder import Recorder
from torch_serving.bench.target import Target
from torch_serving.bench.ticker import Ticker
from torch_serving.bench.usage import NO_USAGE, Usage

POLL_S = 0.02


@dataclass
class Generated:
    """What a load left: `recorder` fills while it runs."""

    recorder: Recorder = field(default_factory=Recorder)
    usage: Usage = NO_USAGE
    marks: list[Mark] = field(default_factory=list)
    lags_s: "array[float]" = field(default_factory=lambda: array("d"))
    backlog_peak: int = 0
    is_overrun: bool = False
    is_interrupted: bool = False


def generate(target: Target, load: Load, generated: Generated, at_edge: Callable[[], None]) -> None:
    """Put a load on a server. `at_edge` is called before and after what is measured, in a thread.

    Raises StartupError if the server takes no connection.
    """
    loop = new_loop()
    try:
        with interrupts(loop, generated), without_collections():
            loop.run_until_complete(run(target, load, generated, at_edge))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@contextmanager
def interrupts(loop: asyncio.AbstractEventLoop, generated: Generated) -> Iterator[None]:
    """Let Ctrl-C end the load, so that what was measured is still told.

    SIGTERM does its work once the load has ended: an exception would be lost in a connection.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    on_term = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    came = set()

    def interrupt(number: int) -> None:
        came.add(number)
        generated.is_interrupted = True
        loop.remove_signal_handler(number)  # the second one ends all

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        signal.signal(signal.SIGTERM, on_term)
        if signal.SIGTERM in came:
            signal.raise_signal(signal.SIGTERM)


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep the garbage collector from adding its pauses to latencies."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


async def run(
    target: Target, load: Load, generated: Generated, at_edge: Callable[[], None]
) -> None:
    pool = Pool(target, generated.recorder, load.timeout_s)
    try:
        await pool.open(load.connections)
        await Session(pool, load, generated).run(at_edge)
    finally:
        pool.close()
        await asyncio.sleep(0)  # connections are told of their end


class Session:
    """Warm-up, window and end of one load, on connections that are open."""

    def __init__(self, pool: Pool, load: Load, generated: Generated) -> None:
        self._pool = pool
        self._load = load
        self._generated = generated
        self._arrivals = pool.arrivals = arrivals_of(load)
        self._ticker: Ticker | None = None

    async def run(self, at_edge: Callable[[], None]) -> None:
        try:
            self._pool.start(self._begin())
            await self._last(self._load.warm_up_s)
            await asyncio.to_thread(at_edge)
            await self._measure()
            await asyncio.to_thread(at_edge)
            await self._drain()
        finally:
            if self._ticker:
                self._ticker.close()

    def _begin(self) -> float:
        """Begin the load, or begin it anew; what was due before is forgotten."""
        if self._ticker:
            self._ticker.close()
        start_s = time.perf_counter()
        self._arrivals.begin(start_s)
        self._ticker = Ticker(start_s, self._arrivals.interval_s, self._arrivals.tick)
        return start_s

    async def _measure(self) -> None:
        generated, recorder, usage = self._generated, self._generated.recorder, Usage.now()
        recorder.begin_s = self._begin()
        await self._last(self._load.seconds)
        recorder.end_s = time.perf_counter()
        self._arrivals.tick(recorder.end_s)
        self._arrivals.stop()
        generated.usage = Usage.now().since(usage)
        generated.lags_s = self._ticker.lags_s if self._ticker else generated.lags_s
        generated.backlog_peak = self._arrivals.backlog_peak
        generated.is_overrun = self._arrivals.is_overrun

    async def _drain(self) -> None:
        """Wait for what is on its way: the slowest answers would be missing else."""
        last_s = time.perf_counter() + self._load.timeout_s
        while self._waiting() and not self._generated.is_interrupted:
            now_s = time.perf_counter()
            self._pool.check_times(now_s)
            if now_s > last_s:
                break
            await asyncio.sleep(POLL_S)
        self._generated.recorder.gave_up(self._waiting())

    def _waiting(self) -> list[float]:
        return self._pool.waiting() + self._arrivals.waiting()

    async def _last(self, seconds: float) -> None:
        """Let the load run for so long, or until it is interrupted or beyond the server."""
        end_s = time.perf_counter() + seconds
        while (left_s := end_s - time.perf_counter()) > 0:
            if self._generated.is_interrupted or self._arrivals.is_overrun:
                return
            now_s, recorder = time.perf_counter(), self._generated.recorder
            self._pool.check_times(now_s)
            if recorder.begin_s <= now_s:
                mark = Mark(now_s, recorder.answers, len(recorder.latencies_s))
                self._generated.marks.append(mark)
            await asyncio.sleep(min(left_s, POLL_S))


def arrivals_of(load: Load) -> ClosedLoop | OpenLoop:
    if load.rate is None:
        return ClosedLoop()
    return OpenLoop(load.rate, load.backlog)

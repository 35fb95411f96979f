"""Where inference runs: bytes in, bytes out.

A fixed number of lanes, threads that run models, take the jobs in turn; jobs that are known to be
short run on the event loop's own thread, where no hand-over is needed. Whatever may take longer
never runs there, so that sockets and health checks are always served
(tests/test_engine.py::test_the_loop_is_free_while_a_model_runs).
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sized
from contextlib import suppress
from operator import attrgetter
from queue import SimpleQueue
from typing import Any

import torch

from torch_serving.errors import ShuttingDown
from torch_serving.servable import INFERENCE, Method

MAX_LANES = 8


class Job:
    """One request on its way: `value` is its body, then its inputs, outputs and response."""

    __slots__ = ("body_bytes", "elapsed_s", "error", "future", "inputs", "method", "value")

    def __init__(self, method: Method, body: bytes, inputs: list[Any] | None = None) -> None:
        self.method = method
        self.value: Any = body if inputs is None else inputs
        self.body_bytes = len(body)
        self.inputs = inputs
        self.elapsed_s = 0.0
        self.error: Exception | None = None
        self.future: asyncio.Future[bytes] | None = None


DECODE, RUN, ENCODE = attrgetter("decode"), attrgetter("run"), attrgetter("encode")


def work(jobs: Iterable[Job]) -> None:
    """Take each step for all jobs before the next one; what goes wrong with a job stays with it.

    torch is far larger than any cache: a request that goes alone finds the code of each step cold.
    Those that go together share the misses (docs/decisions.md has the figures).
    """
    decode(jobs)
    finish(jobs)


def decode(jobs: Iterable[Job]) -> None:
    INFERENCE.enter()
    take(DECODE, jobs)
    for job in jobs:
        if job.error is None:
            job.inputs = job.value


def finish(jobs: Iterable[Job]) -> None:
    """Run and encode what was decoded, and learn how long it took."""
    INFERENCE.enter()
    take(RUN, jobs)
    take(ENCODE, jobs)
    for job in jobs:
        if job.inputs is not None:
            job.method.pace.record(job.body_bytes, job.inputs, job.elapsed_s)


def take(step: Callable[[Method], Callable[[Any], Any]], jobs: Iterable[Job]) -> None:
    now = time.perf_counter()
    for job in jobs:
        if job.error is None:
            try:
                job.value = step(job.method)(job.value)
            except Exception as error:
                job.error = error
            before, now = now, time.perf_counter()
            job.elapsed_s += now - before


class Engine:
    """Runs jobs. `submit` is for the thread of one event loop, `run` for any thread.

    `requests` are those that the server is busy with: when there is more than one, short jobs of
    one turn of the loop wait for each other.
    """

    def __init__(self, lanes: int, requests: Sized = ()) -> None:
        self.lanes = lanes
        self._requests = requests
        self._short_jobs: list[Job] = []
        self._lane_jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: deque[Job] = deque()
        self._waking = False  # a wake-up is on its way to the loop; it takes all that is done
        self._threads = [
            threading.Thread(target=self._work_in_lane, name=f"lane-{index}", daemon=True)
            for index in range(lanes)
        ]

    def start(self) -> None:
        """Start the lanes, and divide the cores among them."""
        torch.set_num_threads(max(1, cores() // self.lanes))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the lanes end once all jobs that were submitted are done."""
        for _ in self._threads:
            self._lane_jobs.put(None)

    def run(self, method: Method, body: bytes) -> bytes:
        """Answer a request in the calling thread."""
        started_s = time.perf_counter()
        INFERENCE.enter()
        return self._finish(method, body, method.decode(body), started_s)

    def _finish(self, method: Method, body: bytes, inputs: list[Any], started_s: float) -> bytes:
        try:
            response: bytes = method.encode(method.run(inputs))
            return response
        finally:  # what fails late holds up the loop as well
            method.pace.record(len(body), inputs, time.perf_counter() - started_s)

    async def submit(self, method: Method, body: bytes) -> bytes:
        """Answer a request: on the loop's thread if it is known to be short, else in a lane."""
        may_be_short = method.pace.may_be_short(len(body))
        inputs = None
        if may_be_short and len(self._requests) < 2:
            started_s = time.perf_counter()
            INFERENCE.enter()
            inputs = method.decode(body)
            if method.pace.is_short(inputs):
                return self._finish(method, body, inputs, started_s)
        job = Job(method, body, inputs)
        loop = asyncio.get_running_loop()
        job.future = loop.create_future()
        if inputs is not None or not may_be_short:
            self._lane_jobs.put(job)
        else:
            if not self._short_jobs:
                loop.call_soon(self._work_on_loop)
            self._short_jobs.append(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            raise ShuttingDown("the server stops before the answer is ready") from None

    def _work_on_loop(self) -> None:
        jobs, self._short_jobs = self._short_jobs, []
        decode(jobs)
        short = []
        for job in jobs:
            if is_short(job):
                short.append(job)
            else:
                self._lane_jobs.put(job)
        finish(short)
        for job in short:
            tell(job)

    def _work_in_lane(self) -> None:
        while (job := self._lane_jobs.get()) is not None:
            if job.inputs is None:
                decode((job,))
            finish((job,))
            self._done.append(job)
            loop = job.future.get_loop() if job.future else None
            del job  # an idle lane keeps no request alive
            if loop and not self._waking:
                self._waking = True
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._tell_done)

    def _tell_done(self) -> None:
        self._waking = False  # first: what is done from here on sends a wake-up of its own
        while self._done:
            tell(self._done.popleft())


def is_short(job: Job) -> bool:
    """Whether a decoded job may be finished on the loop; one that can't be decoded is."""
    return job.inputs is None or job.method.pace.is_short(job.inputs)


def tell(job: Job) -> None:
    """Give the outcome to whoever waits for it."""
    if job.future is None or job.future.done():
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.value)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_lanes() -> int:
    return min(cores(), MAX_LANES)

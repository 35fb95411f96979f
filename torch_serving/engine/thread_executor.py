"""Executor threads: a fixed number of threads that run jobs in turn.

Whatever may take long runs here and never on the event loop, so that sockets and health checks are
always served (tests/engine/test_engine.py::test_the_loop_is_free_while_a_model_runs).
"""

import asyncio
import functools
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

import torch

from torch_serving.engine.batcher import ON, Batcher
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.job import Job
from torch_serving.engine.memory import retry_with_more_memory
from torch_serving.engine.steps import QUEUE, decode, fail_all, resolve, retry, run_and_encode
from torch_serving.errors import DeadlineExceeded, OutOfMemory, Overloaded, ShuttingDown
from torch_serving.telemetry._counters import Statistics


class Limits(NamedTuple):
    """How many requests may wait for a thread, for how long, and how long one may take in all."""

    queue: int = 256  # requests beyond those that run
    queue_timeout_s: float = 30.0
    request_timeout_s: float = 300.0


class ThreadExecutor:
    """Runs jobs in threads. `enqueue` is for the thread of one event loop.

    `jobs` is the number of jobs that wait or run.
    """

    def __init__(
        self, threads: int, limits: Limits, events: EngineEvents, statistics: Statistics
    ) -> None:
        self.threads = threads
        self.jobs = 0  # only the event loop's thread changes it
        self._limits = limits
        self._events = events
        self._statistics = statistics
        # a job, a batcher that has jobs waiting, or None: a thread ends
        self._queue: SimpleQueue[Job | Batcher | None] = SimpleQueue()
        self._done: deque[Job] = deque()
        self._is_waking = False  # a wake-up is on its way to the loop; it delivers all that is done
        self._threads = [
            threading.Thread(target=self._work, name=f"executor-{index}", daemon=True)
            for index in range(threads)
        ]

    def start(self) -> None:
        self._statistics.set_threads(self.threads, 0)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the threads end once all jobs that were enqueued are done."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end, after `close`."""
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def enqueue(self, job: Job) -> None:
        """Give a job to the threads, or refuse it if too many wait."""
        loop = asyncio.get_running_loop()
        if self.jobs >= self.threads + self._limits.queue:
            self._statistics.count_rejected()
            job.error = Overloaded(f"{self._limits.queue} requests wait already")
            loop.call_soon(resolve, job)  # later: the caller is not ready for it yet
            return
        self.jobs += 1
        self._statistics.set_threads(self.threads, self.jobs)
        job.enqueued_s = time.perf_counter()
        limit_s = self._limits.request_timeout_s
        deadline_s = min(job.timeout_s or limit_s, limit_s)
        job.timer = loop.call_later(deadline_s, self._on_deadline, job, limit_s)
        batcher = job.invocation.batcher
        if batcher is not None and batcher.state is ON:
            batcher.waiting.append(job)
            self._queue.put(batcher)
        else:
            self._queue.put(job)

    # On the event loop.

    def _on_deadline(self, job: Job, limit_s: float) -> None:
        """Fail a job. If it still runs long after, its thread is lost."""
        if job.completion is not None and not job.completion.done():
            error = DeadlineExceeded("the model takes longer than the deadline")
            job.completion.set_exception(error)
        if job.is_running:
            asyncio.get_running_loop().call_later(limit_s, self._check_hung, job)

    def _check_hung(self, job: Job) -> None:
        if job.is_running:
            self._events.on_fatal(f"{job.invocation.model} does not end")

    def _deliver(self) -> None:
        """Complete whoever waits for jobs that are done."""
        self._is_waking = False  # first: what is done from here on sends a wake-up of its own
        while self._done:
            self.jobs -= 1
            job = self._done.popleft()
            if job.timer is not None:
                job.timer.cancel()
            resolve(job)
        self._statistics.set_threads(self.threads, self.jobs)

    # In an executor thread.

    def _work(self) -> None:
        use_own_streams()
        while (item := self._queue.get()) is not None:
            # a free thread takes all that waits; those after it find nothing
            jobs = [item] if isinstance(item, Job) else item.take_waiting()
            if jobs:
                self._run(jobs)
            del item, jobs  # an idle thread keeps no request alive

    def _run(self, jobs: Sequence[Job]) -> None:
        self._leave_queue(jobs)
        try:
            self._run_steps([job for job in jobs if job.is_running])
        except Exception as error:  # a thread that ends would leave all later jobs waiting
            fail_all(jobs, error)
        for job in jobs:
            job.is_running = False
        self._done.extend(jobs)
        completion = jobs[0].completion
        if completion and not self._is_waking:
            self._is_waking = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                completion.get_loop().call_soon_threadsafe(self._deliver)

    def _leave_queue(self, jobs: Sequence[Job]) -> None:
        """Record how long jobs waited, and fail those that nobody needs any more.

        The others count as running.
        """
        now_s = time.perf_counter()
        oldest_s = now_s - self._limits.queue_timeout_s
        for job in jobs:
            job.invocation.counters.observe_step(QUEUE, now_s - job.enqueued_s)
            if job.steps is not None:
                job.steps.append((QUEUE, job.enqueued_s, now_s))
            if job.completion is not None and job.completion.done():
                job.error = ShuttingDown()
            elif job.enqueued_s < oldest_s:
                job.error = Overloaded("the request waited too long for its turn")
            job.is_running = job.error is None

    def _run_steps(self, jobs: Sequence[Job]) -> None:
        events = self._events
        decode([job for job in jobs if job.inputs is None])
        run_and_encode(jobs, events.set_running)
        for job in jobs:
            if isinstance(job.error, OutOfMemory):
                again = functools.partial(retry, job, events.set_running)
                device = job.invocation.device
                job.error = retry_with_more_memory(job.error, device, again, events.free_memory)
            if job.error is not None:
                events.check_device(job.error, job.invocation.model)


def use_own_streams() -> None:
    """Give this thread its own CUDA streams, so that it does not wait for the other threads."""
    for index in range(torch.cuda.device_count()):
        torch.cuda.set_stream(torch.cuda.Stream(index))  # type: ignore[no-untyped-call]

"""The dispatcher: admits jobs, hands them to executors, and delivers what comes back.

A job of the CPU goes to the executor threads, which take all its steps. A job of another device is
decoded (on the event loop if that is known to take no time, else in an executor thread), run by
the device's executor, and encoded in the same way.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from torch_serving.engine.accelerator import Accelerator
from torch_serving.engine.device_executor import DeviceExecutor
from torch_serving.engine.device_executors import DeviceExecutors
from torch_serving.engine.events import HUNG_MODEL, EngineEvents
from torch_serving.engine.guarded_thread import join_all
from torch_serving.engine.job import Job
from torch_serving.engine.steps import ENCODE, QUEUE, resolve, run_step
from torch_serving.engine.thread_executor import ThreadExecutor
from torch_serving.errors import DeadlineExceeded, Overloaded, ShuttingDown
from torch_serving.telemetry._counters import Statistics
from torch_serving.telemetry.tracing import StepTime

T = TypeVar("T")

LARGE_BYTES = 1 << 14  # more outputs than that are not encoded on the event loop


class Limits(NamedTuple):
    """How many requests may wait for a thread, for how long, and how long one may take in all."""

    queue: int = 256  # requests beyond those that run
    queue_timeout_s: float = 30.0
    request_timeout_s: float = 300.0


class Dispatcher:
    """Has jobs run. `enqueue` is for the thread of one event loop.

    `jobs` is the number of jobs that wait or run; `in_flight` are the requests that the server is
    busy with.
    """

    def __init__(
        self,
        threads: int,
        in_flight: Sized,
        limits: Limits,
        events: EngineEvents,
        statistics: Statistics,
    ) -> None:
        self.jobs = 0  # only the event loop's thread changes it
        self.threads = threads
        self.executors = DeviceExecutors(self._device_executor)
        self._in_flight = in_flight
        self._limits = limits
        self._events = events
        self._statistics = statistics
        self._threads = ThreadExecutor(
            threads,
            events,
            self._start_job,
            self._finish,
            self._run_on_device,
            self._close_executors,
        )
        self._lock = threading.Lock()  # after _is_closing is set, threads get no jobs to encode
        self._is_closing = False
        self._done: deque[Job] = deque()
        self._is_waking = False  # a wake-up is on its way to the loop; it delivers all that is done

    def start(self) -> None:
        self._statistics.set_threads(self.threads, 0)
        self._threads.start()

    def close(self) -> None:
        """Let the threads end once all jobs that were enqueued are done."""
        with self._lock:
            self._is_closing = True
            self._threads.close()

    def _close_executors(self) -> None:
        """Let devices end, now that no thread decodes anything for them."""
        for executor in self.executors.all():
            executor.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end, after `close`."""
        join_all(self._joinable(), timeout_s)

    def _joinable(self) -> Iterator[ThreadExecutor | DeviceExecutor]:
        yield self._threads
        yield from self.executors.all()  # asked for late: a thread may be starting one

    def enqueue(self, job: Job) -> None:
        """Have a job run, or refuse it if too many wait."""
        if self._admit(job):
            if job.inputs is not None and job.invocation.device_method is not None:
                self._run_on_device([job])
            else:
                self._threads.put(job)

    def enqueue_all(self, jobs: list[Job]) -> None:
        """Have several jobs run; those that were decoded for one device are given to it at once."""
        decoded: dict[Accelerator, list[Job]] = {}
        for job in jobs:
            method = job.invocation.device_method
            if job.inputs is None or method is None:
                self.enqueue(job)
            elif self._admit(job):
                decoded.setdefault(method.accelerator, []).append(job)
        for group in decoded.values():
            self._run_on_device(group)

    def _admit(self, job: Job) -> bool:
        """Count a job and set its deadline, or refuse it."""
        loop = asyncio.get_running_loop()
        if self.jobs >= self.threads + self._limits.queue:
            self._statistics.count_rejected()
            job.error = Overloaded(f"{self._limits.queue} requests wait already")
            loop.call_soon(resolve, job)  # later: the caller is not ready for it yet
            return False
        self.jobs += 1
        self._statistics.set_threads(self.threads, self.jobs)
        job.enqueued_s = time.perf_counter()
        limit_s = self._limits.request_timeout_s
        deadline_s = min(job.timeout_s or limit_s, limit_s)
        job.timer = loop.call_later(deadline_s, self._on_deadline, job, limit_s)
        return True

    def call_on(self, accelerator: Accelerator | None, function: Callable[[], T]) -> T:
        """Call a function where methods of a device run, and wait for it. Not for that thread."""
        if accelerator is None:
            return function()
        return self.executors.of(accelerator).call(function).result()

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
            self._events.on_fatal(f"{HUNG_MODEL}: {job.invocation.model}", (job.invocation.model,))

    def _deliver(self) -> None:
        """Complete whoever waits for jobs that are done."""
        self._is_waking = False  # first: what is done from here on sends a wake-up of its own
        while self._done:
            self.jobs -= 1
            job = self._done.popleft()
            if job.timer is not None:
                job.timer.cancel()
            if job.has_run:
                run_step(ENCODE, (job,))
            resolve(job)
        self._statistics.set_threads(self.threads, self.jobs)

    def _is_alone(self) -> bool:
        return max(len(self._in_flight), self.jobs) < 2

    # In executors' threads.

    def _run_on_device(self, jobs: list[Job]) -> None:
        """Have decoded jobs of one device run."""
        method = jobs[0].invocation.device_method
        if method is not None:
            self.executors.of(method.accelerator).put(jobs)

    def _device_executor(self, accelerator: Accelerator) -> DeviceExecutor:
        return DeviceExecutor(
            accelerator,
            self._events,
            self._start_job,
            self._on_device_done,
            self._is_alone,
            self._statistics.device(str(accelerator.device).encode()),
        )

    def _start_job(self, job: Job) -> bool:
        """Record how long a job waited, and fail it if nobody needs it any more.

        Returns whether it is to run; it counts as running then.
        """
        now_s = time.perf_counter()
        job.invocation.counters.observe_step(QUEUE, now_s - job.enqueued_s)
        if job.steps is not None:
            job.steps.append(StepTime(QUEUE, job.enqueued_s, now_s))
        if job.completion is not None and job.completion.done():
            job.error = ShuttingDown()
        elif job.enqueued_s < now_s - self._limits.queue_timeout_s:
            job.error = Overloaded("the request waited too long for its turn")
        job.is_running = job.error is None
        return job.is_running

    def _on_device_done(self, jobs: Sequence[Job]) -> None:
        """Have large outputs encoded in a thread, and others on the event loop."""
        small = []
        for job in jobs:
            job.is_running = False
            if job.error is not None or not self._encode_in_thread(job):
                small.append(job)
        if small:
            self._finish(small)

    def _encode_in_thread(self, job: Job) -> bool:
        """Give a job with large outputs to a thread, and return whether that was done."""
        if not is_large(job.outputs):
            return False
        with self._lock:
            if not self._is_closing:
                self._threads.put(job)
            return not self._is_closing

    def _finish(self, jobs: Sequence[Job]) -> None:
        """Have the event loop complete whoever waits for jobs: at least one."""
        for job in jobs:
            job.is_running = False
        self._done.extend(jobs)
        completion = jobs[0].completion
        if completion and not self._is_waking:
            self._is_waking = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                completion.get_loop().call_soon_threadsafe(self._deliver)


def is_large(outputs: Any) -> bool:
    """Whether outputs take long to encode; a character counts as a byte, a part as eight."""
    left, size = [outputs], 0
    while left and size <= LARGE_BYTES:
        value = left.pop()
        if isinstance(value, torch.Tensor):
            size += value.numel() * value.element_size()  # sparse ones have no nbytes
        elif isinstance(value, np.ndarray):
            size += value.nbytes
        elif isinstance(value, str | bytes):
            size += len(value)
        elif isinstance(value, list | tuple | dict):
            size += 8 * len(value)
            if size <= LARGE_BYTES:
                left += value.values() if isinstance(value, dict) else value
    return size > LARGE_BYTES

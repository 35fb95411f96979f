"""Where inference runs: bytes in, bytes out.

A fixed number of lanes, threads that run models, take the jobs in turn; jobs that are known to be
short run on the event loop's own thread, where no hand-over is needed. Whatever may take longer
never runs there, so that sockets and health checks are always served
(tests/engine/test_engine.py::test_the_loop_is_free_while_a_model_runs).
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sized
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple

import torch

from torch_serving.codecs.interfaces import Body
from torch_serving.engine.batcher import Batcher
from torch_serving.engine.busy_poll import BusyPoll
from torch_serving.engine.interfaces import Invocation
from torch_serving.engine.steps import (
    QUEUE,
    Job,
    SetRunning,
    blame,
    can_run_inline,
    decode,
    finish,
    outcome,
    tell,
    work,
    work_again,
)
from torch_serving.errors import (
    DeadlineExceeded,
    DeviceFailed,
    OutOfMemory,
    Overloaded,
    ShuttingDown,
)
from torch_serving.telemetry._counters import Statistics
from torch_serving.telemetry.tracing import StepTime

MAX_LANES = 8


class Limits(NamedTuple):
    """What may wait for lanes, and for how long; how long a request may take in all."""

    queue: int = 256  # requests beyond those that run
    queue_timeout_s: float = 30.0
    request_timeout_s: float = 300.0


DEFAULT_LIMITS = Limits()


class Engine:
    """Runs jobs. `submit` is for the thread of one event loop, `run` for any thread.

    `requests` are those that the server is busy with: when there is more than one, short jobs of
    one turn of the loop wait for each other. `free_memory` is asked to make room on a device, and
    returns whether it could; `on_fatal` is told why this process is of no more use, `set_running`
    which model the thread runs; `statistics` gets what is counted.
    """

    def __init__(
        self,
        lanes: int,
        requests: Sized = (),
        intra_op_threads: int | None = None,
        free_memory: Callable[[torch.device], bool] = lambda _: False,
        on_fatal: Callable[[str], None] = lambda _: None,
        limits: Limits = DEFAULT_LIMITS,
        set_running: SetRunning = lambda _: None,
        statistics: Statistics | None = None,
    ) -> None:
        self.lanes = lanes
        self.intra_op_threads = intra_op_threads or max(1, cores() // lanes)
        self._requests = requests
        self._free_memory = free_memory
        self._on_fatal = on_fatal
        self._limits = limits
        self._set_running = set_running
        self._statistics = statistics or Statistics()
        self._in_lanes = 0  # jobs that wait or run there; for the loop's thread
        self._short_jobs: list[Job] = []
        self._busy_poll = BusyPoll()
        # a job, a batching that has jobs that wait, or the end
        self._lane_jobs: SimpleQueue[Job | Batcher | None] = SimpleQueue()
        self._done: deque[Job] = deque()
        self._waking = False  # a wake-up is on its way to the loop; it takes all that is done
        self._threads = [
            threading.Thread(target=self._work_in_lane, name=f"lane-{index}", daemon=True)
            for index in range(lanes)
        ]

    def start(self) -> None:
        """Start the lanes, and divide the cores among them."""
        torch.set_num_threads(self.intra_op_threads)
        self._statistics.set_threads(self.lanes, 0)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the lanes end once all jobs that were submitted are done."""
        for _ in self._threads:
            self._lane_jobs.put(None)

    def run(self, invocation: Invocation, body: Body) -> Any:
        """Answer a request in the calling thread."""
        job = Job(invocation, body)
        work((job,))
        return outcome(job)

    async def submit(
        self,
        invocation: Invocation,
        body: Body,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> Any:
        """Answer a request: on the loop's thread if it is known to be short, else in a lane.

        Raises Overloaded if too many wait already or this one waited too long, DeadlineExceeded
        after `timeout_s` or the limit for all requests, and what the steps raise. `steps` gets
        their times.
        """
        job = Job(invocation, body, timeout_s, steps)
        if len(self._requests) < 2 and invocation.inline.may_run_inline(len(body)):
            decode((job,))
            if can_run_inline(job):
                finish((job,), self._set_running)
                self._see_device(job)
                return outcome(job)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job.completion = future
        if job.inputs is not None:
            self._put(job)
        else:
            self.enqueue(job)
        try:
            return await future
        except asyncio.CancelledError:  # a lane that has not begun with it leaves it out
            raise ShuttingDown("the server stops before the answer is ready") from None

    def enqueue(self, job: Job) -> None:
        """Run a job in the loop's next turn or in a lane; its `completion` gets the outcome."""
        if not job.invocation.inline.may_run_inline(job.body_bytes):
            self._put(job)
            return
        if not self._short_jobs:
            asyncio.get_running_loop().call_soon(self._work_on_loop)
        self._short_jobs.append(job)

    def _put(self, job: Job) -> None:
        """Give a job to the lanes, or refuse it if too many wait there."""
        if self._in_lanes >= self.lanes + self._limits.queue:
            self._statistics.count_rejected()
            job.error = Overloaded(f"{self._limits.queue} requests wait already")
            # later: whoever began with it is not ready for the outcome
            asyncio.get_running_loop().call_soon(tell, job)
            return
        self._in_lanes += 1
        self._statistics.set_threads(self.lanes, self._in_lanes)
        job.put_s = time.perf_counter()
        limit_s = self._limits.request_timeout_s
        loop = asyncio.get_running_loop()
        deadline_s = min(job.timeout_s or limit_s, limit_s)
        job.timer = loop.call_later(deadline_s, self._expire, job, limit_s)
        batching = job.invocation.batcher
        if batching is not None and batching.state == "on":
            batching.waiting.append(job)
            self._lane_jobs.put(batching)
        else:
            self._lane_jobs.put(job)

    def _expire(self, job: Job, limit_s: float) -> None:
        """The time for a job is over. If it still runs long after, its lane is lost."""
        if job.completion is not None and not job.completion.done():
            job.completion.set_exception(
                DeadlineExceeded("the model takes longer than the deadline")
            )
        if job.is_running:
            loop = asyncio.get_running_loop()
            loop.call_later(limit_s, self._see_whether_it_ended, job)

    def _see_whether_it_ended(self, job: Job) -> None:
        if job.is_running:
            self._on_fatal(f"{job.invocation.model} does not end")

    def _work_on_loop(self) -> None:
        begun_s = time.perf_counter()
        jobs, self._short_jobs = self._short_jobs, []
        decode(jobs)
        short = []
        for job in jobs:
            if can_run_inline(job):
                short.append(job)
            else:
                self._put(job)
        try:
            finish(short, self._set_running)
        except Exception as error:  # else nobody would ever answer them
            blame(short, error)
        for job in short:
            self._see_device(job)
            tell(job)
        if len(jobs) == 1 and not self._in_lanes:
            self._busy_poll.answered(begun_s, asyncio.get_running_loop())

    def _see_device(self, job: Job) -> None:
        if isinstance(job.error, DeviceFailed):
            self._on_fatal("a device is in error")

    def _work_in_lane(self) -> None:
        use_streams_of_its_own()
        while (item := self._lane_jobs.get()) is not None:
            # a free lane takes all that waits; those after it find nothing
            jobs = [item] if isinstance(item, Job) else item.take_waiting()
            if jobs:
                self._run_in_lane(jobs)
            del item, jobs  # an idle lane keeps no request alive

    def _run_in_lane(self, jobs: list[Job]) -> None:
        now_s = time.perf_counter()
        oldest_s = now_s - self._limits.queue_timeout_s
        for job in jobs:
            job.invocation.counters.observe_step(QUEUE, now_s - job.put_s)
            if job.steps is not None:
                job.steps.append((QUEUE, job.put_s, now_s))
            if job.completion is not None and job.completion.done():  # nobody waits for it any more
                job.error = ShuttingDown()
            elif job.put_s < oldest_s:
                job.error = Overloaded("the request waited too long for its turn")
            job.is_running = job.error is None
        try:
            self._work([job for job in jobs if job.is_running])
        except Exception as error:  # a lane that ends would take all that comes after with it
            blame(jobs, error)
        for job in jobs:
            job.is_running = False
        self._done.extend(jobs)
        loop = jobs[0].completion.get_loop() if jobs[0].completion else None
        if loop and not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._tell_done)

    def _work(self, jobs: list[Job]) -> None:
        decode([job for job in jobs if job.inputs is None])
        finish(jobs, self._set_running)
        for job in jobs:
            if isinstance(job.error, OutOfMemory) and self._free_memory(job.invocation.device):
                work_again(job, self._set_running)
            self._see_device(job)

    def _tell_done(self) -> None:
        self._waking = False  # first: what is done from here on sends a wake-up of its own
        while self._done:
            self._in_lanes -= 1
            job = self._done.popleft()
            if job.timer is not None:
                job.timer.cancel()
            tell(job)
        self._statistics.set_threads(self.lanes, self._in_lanes)


def use_streams_of_its_own() -> None:
    """What one thread does on a GPU need not wait for the others."""
    for index in range(torch.cuda.device_count()):
        torch.cuda.set_stream(torch.cuda.Stream(index))  # type: ignore[no-untyped-call]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

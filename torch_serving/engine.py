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
from collections.abc import Callable, Iterable, Sequence, Sized
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from queue import SimpleQueue
from typing import Any, NamedTuple

import torch

from torch_serving._statistics import STEPS, Statistics
from torch_serving.batching import Batching, NotRowWise, groups_of, merge, rows_of, split
from torch_serving.call import Call
from torch_serving.errors import (
    DeadlineExceeded,
    DeviceFailed,
    OutOfMemory,
    Overloaded,
    ShuttingDown,
)
from torch_serving.servable import INFERENCE, Method

MAX_LANES = 8
StepTime = tuple[int, float, float]  # which of STEPS, its start and its end by perf_counter
Task = Method | Call  # what decodes, runs and encodes one request


class Job:
    """One request on its way: `value` is its body, then its inputs, outputs and response."""

    __slots__ = (
        "body_bytes",
        "elapsed_s",
        "error",
        "future",
        "inputs",
        "is_running",
        "is_shared",
        "method",
        "put_s",
        "steps",
        "timeout_s",
        "timer",
        "value",
    )

    def __init__(
        self,
        method: Task,
        body: bytes | bytearray,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> None:
        self.method = method
        self.steps = steps  # gets their times, if somebody wants them
        self.timeout_s = timeout_s  # if it is shorter than the limit for all
        self.value: Any = body
        self.body_bytes = len(body)
        self.inputs: list[Any] | None = None
        self.elapsed_s = 0.0
        self.error: Exception | None = None
        self.future: asyncio.Future[bytes] | None = None
        self.put_s = 0.0  # when it was given to the lanes
        self.timer: asyncio.TimerHandle | None = None  # its deadline, from then on
        self.is_running = False
        self.is_shared = False  # its run was one of several jobs


Mark = Callable[[bytes], None]  # what this thread runs from now on


class Limits(NamedTuple):
    """What may wait for lanes, and for how long; how long a request may take in all."""

    queue: int = 256  # requests beyond those that run
    queue_timeout_s: float = 30.0
    request_timeout_s: float = 300.0


DEFAULT_LIMITS = Limits()


class Step(NamedTuple):
    """A step of a job: what does it, and the number of its time among the statistics."""

    of: Callable[[Task], Callable[[Any], Any]]
    number: int


DECODE = Step(attrgetter("decode"), STEPS.index("decode"))
RUN = Step(attrgetter("run"), STEPS.index("forward"))
ENCODE = Step(attrgetter("encode"), STEPS.index("encode"))
QUEUE = STEPS.index("queue")
LABEL = attrgetter("method.label")


def work(jobs: Sequence[Job]) -> None:
    """Take each step for all jobs before the next one; what goes wrong with a job stays with it.

    torch is far larger than any cache: a request that goes alone finds the code of each step cold.
    Those that go together share the misses (docs/decisions.md has the figures).
    """
    decode(jobs)
    finish(jobs)


def decode(jobs: Sequence[Job]) -> None:
    INFERENCE.enter()
    take(DECODE, jobs)
    for job in jobs:
        if job.error is None:
            job.inputs = job.value


def finish(jobs: Sequence[Job], mark: Mark = lambda _: None) -> None:
    """Run and encode what was decoded, and learn how long it took."""
    INFERENCE.enter()
    left = run_groups(jobs, mark) if len(jobs) > 1 else jobs
    for label, group in groupby(left, LABEL):
        mark(label.board_name)
        take(RUN, group)
    mark(b"")
    take(ENCODE, jobs)
    for job in jobs:
        if job.inputs is not None:
            job.method.pace.record(job.body_bytes, job.inputs, job.elapsed_s)
            if not job.is_shared:
                job.method.counts.ran(1)


def take(step: Step, jobs: Iterable[Job]) -> None:
    now = time.perf_counter()
    for job in jobs:
        if job.error is None:
            try:
                job.value = step.of(job.method)(job.value)
            except Exception as error:
                job.error = error
            before, now = now, time.perf_counter()
            job.elapsed_s += now - before
            job.method.counts.took(step.number, now - before)
            if job.steps is not None:
                job.steps.append((step.number, before, now))


def run_groups(jobs: Iterable[Job], mark: Mark) -> list[Job]:
    """Run as one what may run as one, and return the jobs that are left."""
    left = []
    groups: dict[Batching, list[Job]] = {}
    for job in jobs:
        batching = job.method.batching
        if batching is not None and batching.state == "on" and job.error is None:
            groups.setdefault(batching, []).append(job)
        else:
            left.append(job)
    for batching, members in groups.items():
        for indices in groups_of([job.value for job in members], batching.max_rows):
            group = [members[index] for index in indices]
            mark(group[0].method.label.board_name)
            if len(group) == 1 or not run_together(batching, group):
                left += group
    return left


def run_together(batching: Batching, jobs: list[Job]) -> bool:
    """Run jobs as one. If that fails, nothing has happened: they are run one by one, so that only
    the guilty one fails."""
    started_s = time.perf_counter()
    sizes = [rows_of(job.value) or 0 for job in jobs]
    try:
        parts = split(jobs[0].method.run(merge([job.value for job in jobs])), sizes)
    except NotRowWise as error:
        batching.turn_off(str(error))
        return False
    except Exception:  # whatever it is, each request is told its own
        return False
    share_s = (time.perf_counter() - started_s) / len(jobs)
    for job, part in zip(jobs, parts, strict=True):
        job.value = part
        job.elapsed_s += share_s
        job.is_shared = True
        job.method.counts.took(RUN.number, share_s)
        if job.steps is not None:
            job.steps.append((RUN.number, started_s, time.perf_counter()))
    jobs[0].method.counts.ran(len(jobs))
    return True


class Engine:
    """Runs jobs. `submit` is for the thread of one event loop, `run` for any thread.

    `requests` are those that the server is busy with: when there is more than one, short jobs of
    one turn of the loop wait for each other. `free_memory` is asked to make room on a device, and
    returns whether it could; `give_up` is told why this process is of no more use, `mark` which
    model the thread runs; `statistics` gets what is counted.
    """

    def __init__(
        self,
        lanes: int,
        requests: Sized = (),
        intra_op_threads: int | None = None,
        free_memory: Callable[[torch.device], bool] = lambda _: False,
        give_up: Callable[[str], None] = lambda _: None,
        limits: Limits = DEFAULT_LIMITS,
        mark: Mark = lambda _: None,
        statistics: Statistics | None = None,
    ) -> None:
        self.lanes = lanes
        self.intra_op_threads = intra_op_threads or max(1, cores() // lanes)
        self._requests = requests
        self._free_memory = free_memory
        self._give_up = give_up
        self._limits = limits
        self._mark = mark
        self._statistics = statistics or Statistics()
        self._in_lanes = 0  # jobs that wait or run there; for the loop's thread
        self._short_jobs: list[Job] = []
        # a job, a batching that has jobs that wait, or the end
        self._lane_jobs: SimpleQueue[Job | Batching | None] = SimpleQueue()
        self._done: deque[Job] = deque()
        self._waking = False  # a wake-up is on its way to the loop; it takes all that is done
        self._threads = [
            threading.Thread(target=self._work_in_lane, name=f"lane-{index}", daemon=True)
            for index in range(lanes)
        ]

    def start(self) -> None:
        """Start the lanes, and divide the cores among them."""
        torch.set_num_threads(self.intra_op_threads)
        self._statistics.lanes(self.lanes, 0)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the lanes end once all jobs that were submitted are done."""
        for _ in self._threads:
            self._lane_jobs.put(None)

    def run(self, method: Task, body: bytes | bytearray) -> bytes:
        """Answer a request in the calling thread."""
        job = Job(method, body)
        work((job,))
        return outcome(job)

    async def submit(
        self,
        method: Task,
        body: bytes | bytearray,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> bytes:
        """Answer a request: on the loop's thread if it is known to be short, else in a lane.

        Raises Overloaded if too many wait already or this one waited too long, DeadlineExceeded
        after `timeout_s` or the limit for all requests, and what the steps raise. `steps` gets
        their times.
        """
        job = Job(method, body, timeout_s, steps)
        may_be_short = method.pace.may_be_short(len(body))
        if may_be_short and len(self._requests) < 2:
            decode((job,))
            if is_short(job):
                finish((job,), self._mark)
                return outcome(job)
            may_be_short = False
        job.future = asyncio.get_running_loop().create_future()
        if not may_be_short:
            self._put(job)
        else:
            if not self._short_jobs:
                asyncio.get_running_loop().call_soon(self._work_on_loop)
            self._short_jobs.append(job)
        try:
            return await job.future
        except asyncio.CancelledError:  # a lane that has not begun with it leaves it out
            raise ShuttingDown("the server stops before the answer is ready") from None

    def _put(self, job: Job) -> None:
        """Give a job to the lanes; raises Overloaded if too many wait there."""
        if self._in_lanes >= self.lanes + self._limits.queue:
            self._statistics.rejected()
            raise Overloaded(f"{self._limits.queue} requests wait already")
        self._in_lanes += 1
        self._statistics.lanes(self.lanes, self._in_lanes)
        job.put_s = time.perf_counter()
        limit_s = self._limits.request_timeout_s
        loop = asyncio.get_running_loop()
        deadline_s = min(job.timeout_s or limit_s, limit_s)
        job.timer = loop.call_later(deadline_s, self._expire, job, limit_s)
        batching = job.method.batching
        if batching is not None and batching.state == "on":
            batching.waiting.append(job)
            self._lane_jobs.put(batching)
        else:
            self._lane_jobs.put(job)

    def _expire(self, job: Job, limit_s: float) -> None:
        """The time for a job is over. If it still runs long after, its lane is lost."""
        if job.future is not None and not job.future.done():
            job.future.set_exception(DeadlineExceeded("the model takes longer than the deadline"))
        if job.is_running:
            loop = asyncio.get_running_loop()
            loop.call_later(limit_s, self._see_whether_it_ended, job)

    def _see_whether_it_ended(self, job: Job) -> None:
        if job.is_running:
            self._give_up(f"{job.method.name} does not end")

    def _work_on_loop(self) -> None:
        jobs, self._short_jobs = self._short_jobs, []
        decode(jobs)
        short = []
        for job in jobs:
            if is_short(job):
                short.append(job)
                continue
            try:
                self._put(job)
            except Overloaded as error:
                job.error = error
                tell(job)
        finish(short, self._mark)
        for job in short:
            tell(job)

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
            job.method.counts.took(QUEUE, now_s - job.put_s)
            if job.steps is not None:
                job.steps.append((QUEUE, job.put_s, now_s))
            if job.future is not None and job.future.done():  # nobody waits for it any more
                job.error = ShuttingDown()
            elif job.put_s < oldest_s:
                job.error = Overloaded("the request waited too long for its turn")
            job.is_running = job.error is None
        running = [job for job in jobs if job.is_running]
        decode([job for job in running if job.inputs is None])
        finish(running, self._mark)
        for job in running:
            if isinstance(job.error, OutOfMemory) and self._free_memory(job.method.device):
                job.error, job.value = None, job.inputs
                finish((job,), self._mark)
            if isinstance(job.error, DeviceFailed):
                self._give_up("a device is in error")
            job.is_running = False
        self._done.extend(jobs)
        loop = jobs[0].future.get_loop() if jobs[0].future else None
        if loop and not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._tell_done)

    def _tell_done(self) -> None:
        self._waking = False  # first: what is done from here on sends a wake-up of its own
        while self._done:
            self._in_lanes -= 1
            job = self._done.popleft()
            if job.timer is not None:
                job.timer.cancel()
            tell(job)
        self._statistics.lanes(self.lanes, self._in_lanes)


def is_short(job: Job) -> bool:
    """Whether a decoded job may be finished on the loop; one that can't be decoded is."""
    return job.inputs is None or job.method.pace.is_short(job.inputs)


def outcome(job: Job) -> bytes:
    """The response, or the error raised."""
    if job.error is not None:
        raise job.error
    response: bytes = job.value
    return response


def tell(job: Job) -> None:
    """Give the outcome to whoever waits for it."""
    if job.future is None or job.future.done():
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.value)


def use_streams_of_its_own() -> None:
    """What one thread does on a GPU need not wait for the others."""
    for index in range(torch.cuda.device_count()):
        torch.cuda.set_stream(torch.cuda.Stream(index))  # type: ignore[no-untyped-call]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

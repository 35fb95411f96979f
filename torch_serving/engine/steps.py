"""Requests on their way: decoded, run and encoded step by step, several at once where that pays."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from torch_serving.codecs.interfaces import Body
from torch_serving.engine.batcher import Batcher, NotRowWise, groups_of, merge, rows_of, split
from torch_serving.engine.device_errors import device_error
from torch_serving.engine.inference_mode import INFERENCE
from torch_serving.engine.interfaces import Completion, Invocation
from torch_serving.errors import ServingError
from torch_serving.telemetry._counters import STEPS
from torch_serving.telemetry.tracing import StepTime


class Job:
    """One request on its way: `value` is its body, then its inputs, outputs and response."""

    __slots__ = (
        "body_bytes",
        "completion",
        "elapsed_s",
        "error",
        "inputs",
        "invocation",
        "is_running",
        "is_shared",
        "on_end",
        "put_s",
        "steps",
        "timeout_s",
        "timer",
        "value",
    )

    def __init__(
        self,
        invocation: Invocation,
        body: Body,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> None:
        self.invocation = invocation
        self.steps = steps  # gets their times, if somebody wants them
        self.timeout_s = timeout_s  # if it is shorter than the limit for all
        self.value: Any = body
        self.body_bytes = len(body)
        self.inputs: list[Any] | None = None
        self.elapsed_s = 0.0
        self.error: Exception | None = None
        self.completion: Completion | None = None  # of whoever waits for it
        self.put_s = 0.0  # when it was given to the lanes
        self.timer: asyncio.TimerHandle | None = None  # its deadline, from then on
        self.is_running = False
        self.on_end: Callable[[], None] | None = None  # called once it has run, or will not run
        self.is_shared = False  # its run was one of several jobs


SetRunning = Callable[[str], None]  # which model this thread runs from now on; "" for none


class Step(NamedTuple):
    """A step of a job: what does it, and the number of its time among the statistics."""

    of: Callable[[Invocation], Callable[[Any], Any]]
    number: int


DECODE = Step(attrgetter("decode"), STEPS.index("decode"))
RUN = Step(attrgetter("run"), STEPS.index("forward"))
ENCODE = Step(attrgetter("encode"), STEPS.index("encode"))
QUEUE = STEPS.index("queue")
MODEL = attrgetter("invocation.model")


def work(jobs: Sequence[Job]) -> None:
    """Take each step for all jobs before the next one; what goes wrong with a job stays with it.

    torch is far larger than any cache: a request that goes alone finds the code of each step cold.
    Those that go together share the misses
    (docs/decisions/0014-run-ready-requests-step-by-step.md has the figures).
    """
    decode(jobs)
    finish(jobs)


def decode(jobs: Sequence[Job]) -> None:
    INFERENCE.enter()
    take(DECODE, jobs)
    for job in jobs:
        if job.error is None:
            job.inputs = job.value


def work_again(job: Job, set_running: SetRunning) -> None:
    """Try once more what failed."""
    job.error = None
    if job.inputs is None:
        decode((job,))
    else:
        job.value = job.inputs
    finish((job,), set_running)


def finish(jobs: Sequence[Job], set_running: SetRunning = lambda _: None) -> None:
    """Run and encode what was decoded, and learn how long it took."""
    INFERENCE.enter()
    left = run_groups(jobs, set_running) if len(jobs) > 1 else jobs
    for model, group in groupby(left, MODEL):
        set_running(model)
        take(RUN, group)
    set_running("")
    take(ENCODE, jobs)
    for job in jobs:
        if job.inputs is not None:
            job.invocation.inline.record(job.body_bytes, job.inputs, job.elapsed_s)
            if not job.is_shared:
                job.invocation.counters.observe_batch(1)


def take(step: Step, jobs: Iterable[Job]) -> None:
    now = time.perf_counter()
    for job in jobs:
        if job.error is None:
            try:
                job.value = step.of(job.invocation)(job.value)
            except Exception as error:
                job.error = (
                    error if isinstance(error, ServingError) else device_error(error) or error
                )
            before, now = now, time.perf_counter()
            job.elapsed_s += now - before
            job.invocation.counters.observe_step(step.number, now - before)
            if job.steps is not None:
                job.steps.append((step.number, before, now))


def run_groups(jobs: Iterable[Job], set_running: SetRunning) -> list[Job]:
    """Run as one what may run as one, and return the jobs that are left."""
    left = []
    groups: dict[Batcher, list[Job]] = {}
    for job in jobs:
        batching = job.invocation.batcher
        if batching is not None and batching.state == "on" and job.error is None:
            groups.setdefault(batching, []).append(job)
        else:
            left.append(job)
    for batching, members in groups.items():
        for indices in groups_of([job.value for job in members], batching.max_rows):
            group = [members[index] for index in indices]
            set_running(group[0].invocation.model)
            if len(group) == 1 or not run_together(batching, group):
                left += group
    return left


def run_together(batching: Batcher, jobs: list[Job]) -> bool:
    """Run jobs as one. If that fails, nothing has happened: they are run one by one, so that only
    the guilty one fails."""
    started_s = time.perf_counter()
    sizes = [rows_of(job.value) or 0 for job in jobs]
    try:
        parts = split(jobs[0].invocation.run(merge([job.value for job in jobs])), sizes)
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
        job.invocation.counters.observe_step(RUN.number, share_s)
        if job.steps is not None:
            job.steps.append((RUN.number, started_s, time.perf_counter()))
    jobs[0].invocation.counters.observe_batch(len(jobs))
    return True


def can_run_inline(job: Job) -> bool:
    """Whether a decoded job may be finished on the loop; one that can't be decoded is."""
    return job.inputs is None or job.invocation.inline.can_run_inline(job.inputs)


def blame(jobs: Iterable[Job], error: Exception) -> None:
    """Tell all jobs that have no error of their own what went wrong around them."""
    for job in jobs:
        job.error = job.error or error


def outcome(job: Job) -> Any:
    """The response, or the error raised."""
    if job.error is not None:
        raise job.error
    return job.value


def tell(job: Job) -> None:
    """Give the outcome to whoever waits for it."""
    if job.on_end is not None:
        job.on_end()
    if job.completion is None or job.completion.done():
        return
    if job.error is not None:
        job.completion.set_exception(job.error)
    else:
        job.completion.set_result(job.value)

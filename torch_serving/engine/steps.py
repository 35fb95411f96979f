"""The steps of jobs: decode, run and encode, several jobs at once where that pays."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from torch_serving.codecs.decoding import DECODING, TakesLong
from torch_serving.codecs.interfaces import Encoded
from torch_serving.engine.batch_tensors import NotRowWise, concatenate, groups_of, rows_of
from torch_serving.engine.batcher import ON, Batcher
from torch_serving.engine.device_errors import device_error
from torch_serving.engine.events import SetRunning
from torch_serving.engine.inference_mode import INFERENCE
from torch_serving.engine.job import Job
from torch_serving.errors import ServingError
from torch_serving.telemetry._counters import STEPS
from torch_serving.telemetry.tracing import StepTime

QUEUE, COPY = STEPS.index("queue"), STEPS.index("copy")
MODEL = attrgetter("invocation.model")


class Step(NamedTuple):
    """What takes a job one step further, and the number of the step among the statistics."""

    advance: Callable[[Job], None]
    number: int


def decode_body(job: Job) -> None:
    job.inputs = job.invocation.decode(job.body)
    job.body = b""


def run_model(job: Job) -> None:
    job.outputs = job.invocation.run(job.inputs or [])


def encode_outputs(job: Job) -> None:
    job.response = job.invocation.encode(job.outputs)
    job.outputs = None


DECODE = Step(decode_body, STEPS.index("decode"))
RUN = Step(run_model, STEPS.index("forward"))
ENCODE = Step(encode_outputs, STEPS.index("encode"))


def run_all(jobs: Sequence[Job]) -> None:
    """Take each step for all jobs before the next one; an error stays with its job.

    The code of torch is larger than any cache: jobs that are taken together share the misses, which
    a job alone has in each step.
    """
    decode(jobs)
    run_and_encode(jobs)


def decode(jobs: Iterable[Job]) -> None:
    INFERENCE.enter()
    run_step(DECODE, jobs)


def decode_inline(jobs: Iterable[Job]) -> None:
    """Decode on the event loop; what would take long there ends with TakesLong."""
    DECODING.must_be_short = True
    try:
        decode(jobs)
    finally:
        DECODING.must_be_short = False


def retry(job: Job, set_running: SetRunning) -> Exception | None:
    """Take the steps of a job that failed again, from its inputs if it has them.

    Returns the job's error, if it has one again.
    """
    job.error = None
    job.outputs = None
    if job.inputs is None:
        decode((job,))
    run_and_encode((job,), set_running)
    return job.error


def run_and_encode(jobs: Sequence[Job], set_running: SetRunning = lambda _: None) -> None:
    """Run and encode what was decoded, and record how long it took."""
    INFERENCE.enter()
    left = run_groups(jobs, set_running) if len(jobs) > 1 else jobs
    for model, group in groupby(left, MODEL):
        set_running(model)
        run_step(RUN, group)
    set_running("")
    run_step(ENCODE, jobs)
    for job in jobs:
        if job.inputs is not None:
            job.invocation.inline.record(job.body_bytes, job.inputs, job.elapsed_s)
            if not job.is_shared:
                job.invocation.counters.observe_batch(1)


def run_step(step: Step, jobs: Iterable[Job]) -> None:
    advance, number = step
    now = time.perf_counter()
    for job in jobs:
        if job.error is None:
            try:
                advance(job)
            except KeyboardInterrupt:  # of a program's user
                raise
            except BaseException as error:
                job.error = error_of_job(error)
            before, now = now, time.perf_counter()
            job.elapsed_s += now - before
            job.invocation.counters.observe_step(number, now - before)
            if job.steps is not None:
                job.steps.append(StepTime(number, before, now))


def error_of_job(error: BaseException) -> Exception:
    """Translate what a step raised. What would end its thread, as SystemExit, ends the job only."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, Exception):
        return device_error(error) or error
    unexpected = RuntimeError(f"a step raised {type(error).__name__}")
    unexpected.__cause__ = error
    return unexpected


def run_groups(jobs: Iterable[Job], set_running: SetRunning) -> list[Job]:
    """Run as one what may run as one, and return the jobs that are left."""
    left = []
    batches: dict[Batcher, list[Job]] = {}
    for job in jobs:
        batcher = job.invocation.batcher
        if batcher is not None and batcher.state is ON and job.error is None:
            batches.setdefault(batcher, []).append(job)
        else:
            left.append(job)
    for batcher, members in batches.items():
        for indices in groups_of([job.inputs or [] for job in members], batcher.max_rows):
            group = [members[index] for index in indices]
            set_running(group[0].invocation.model)
            if len(group) == 1 or not run_together(batcher, group):
                left += group
    return left


def run_together(batcher: Batcher, jobs: list[Job]) -> bool:
    """Run jobs as one, and return whether that went well.

    If not, the jobs are as before: they are to be run one by one, so that only the guilty fails.
    """
    started_s = time.perf_counter()
    inputs = [job.inputs or [] for job in jobs]
    sizes = [rows_of(each) or 0 for each in inputs]
    try:
        parts = batcher.split(jobs[0].invocation.run(concatenate(inputs)), sizes)
    except NotRowWise as error:
        batcher.turn_off(str(error))
        return False
    except KeyboardInterrupt:
        raise
    except BaseException:  # alone, each job has its own error or none
        return False
    ended_s = time.perf_counter()
    share_s = (ended_s - started_s) / len(jobs)
    for job, part in zip(jobs, parts, strict=True):
        job.outputs = part
        job.elapsed_s += share_s
        job.is_shared = True
        job.invocation.counters.observe_step(RUN.number, share_s)
        if job.steps is not None:
            job.steps.append(StepTime(RUN.number, started_s, ended_s, len(jobs)))
    jobs[0].invocation.counters.observe_batch(len(jobs))
    return True


def can_run_inline(job: Job) -> bool:
    """Whether a job may go on inline; one that could not be decoded may, it has no more to run.

    One that takes long to decode is as before.
    """
    if isinstance(job.error, TakesLong):
        job.error = None
        return False
    return job.inputs is None or job.invocation.inline.can_run_inline(job.inputs)


def fail_all(jobs: Iterable[Job], error: Exception) -> None:
    """Give an error to all jobs that have none of their own."""
    for job in jobs:
        job.error = job.error or error


def result(job: Job) -> Encoded:
    """Return the response, or raise the error."""
    if job.error is not None:
        raise job.error
    return job.response


def resolve(job: Job) -> None:
    """Complete whoever waits for a job, with its response or its error."""
    if job.on_end is not None:
        job.on_end()
    completion = job.completion
    if completion is None or completion.done():
        return
    if job.error is not None:
        completion.set_exception(job.error)
    else:
        completion.set_result(job.response)

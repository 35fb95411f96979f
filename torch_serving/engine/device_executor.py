"""Device executors: one for each device that is not the CPU.

Its launching thread takes all requests that wait and may run as one, and tells the device what to
do: one copy in, one run, one copy out. Its landing thread waits for the device, and hands the
results on. So the device works on one batch while the next one is made ready, and nothing waits for
a batch to fill.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from torch_serving.engine.accelerator import Accelerator
from torch_serving.engine.batch_tensors import NotRowWise, batch_key, rows_of
from torch_serving.engine.batcher import ON, UNVALIDATED
from torch_serving.engine.device_errors import device_error
from torch_serving.engine.device_method import DeviceMethod, Launch
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.inference_mode import INFERENCE
from torch_serving.engine.job import Job
from torch_serving.engine.steps import COPY, RUN, fail_all
from torch_serving.errors import DeviceFailed, ServingError

logger = logging.getLogger(__name__)

FLIGHTS = 3  # launches that a device has at once: one runs, one is copied in, one is copied out
T = TypeVar("T")


class Flight(NamedTuple):
    """A launch, and the jobs whose results it brings."""

    jobs: list[Job]
    sizes: list[int]  # rows of each job
    launch: Launch


class Call(NamedTuple):
    """Something else to be done in the launching thread."""

    function: Callable[[], Any]
    future: "Future[Any]"


class DeviceExecutor:
    """Runs decoded jobs on one device.

    `start_job` is called before a job runs, and returns whether it is still wanted; `finish` is
    called with jobs that have run or failed. Both are called in the executor's threads. `is_alone`
    says whether no other request is on its way.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        events: EngineEvents,
        start_job: Callable[[Job], bool],
        finish: Callable[[Sequence[Job]], None],
        is_alone: Callable[[], bool],
    ) -> None:
        self._accelerator = accelerator
        self._events = events
        self._start_job = start_job
        self._finish = finish
        self._is_alone = is_alone
        self._queue: SimpleQueue[Job | Call | None] = SimpleQueue()
        self._waiting: deque[Job] = deque()  # taken out of the queue, for the launching thread
        self._landing: SimpleQueue[Flight | None] = SimpleQueue()
        self._free = threading.Semaphore(FLIGHTS)
        self._lock = threading.Lock()  # guards _airborne
        self._airborne: deque[Flight] = deque()  # in the order of their launches
        self._error: DeviceFailed | None = None  # the device works no more
        self._has_entered = False
        self._threads = [
            threading.Thread(target=target, name=f"{accelerator.device} {name}", daemon=True)
            for target, name in ((self._launch_jobs, "launch"), (self._land_flights, "land"))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> None:
        """Have a decoded job run. For any thread."""
        self._queue.put(job)

    def call(self, function: Callable[[], T]) -> "Future[T]":
        """Call a function between two launches, in the thread that makes them."""
        future: Future[T] = Future()
        self._queue.put(Call(function, future))
        return future

    def close(self) -> None:
        """Let the threads end once all jobs that were put in have run."""
        self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    # In the launching thread.

    def _launch_jobs(self) -> None:
        INFERENCE.enter()
        while self._wait_for_jobs():
            self._free.acquire()  # meanwhile more may come, and join the batch
            self._take_all()
            jobs = self._next_batch()
            try:
                self._enter()
                flight = self._launch_batch(jobs)
            except Exception as error:  # a thread that ends would leave all later jobs waiting
                left = [job for job in jobs if job.error is None and not job.has_run]
                self._fail(left, device_error(error) or error)
                flight = None
            del jobs
            if flight is None:
                self._free.release()
            elif self._is_alone():
                self._land(flight)
            else:
                self._landing.put(flight)
            del flight
        self._landing.put(None)

    def _wait_for_jobs(self) -> bool:
        """Wait until there is a job; return False once there will be none any more."""
        while not self._waiting:
            item = self._queue.get()
            if item is None:
                return False
            self._take(item)
        return True

    def _take(self, item: Job | Call) -> None:
        if isinstance(item, Job):
            self._waiting.append(item)
            return
        try:
            self._enter()
            item.future.set_result(item.function())
        except Exception as error:
            item.future.set_exception(error)

    def _enter(self) -> None:
        if not self._has_entered:
            self._accelerator.enter()
            self._has_entered = True

    def _take_all(self) -> None:
        """Take what is in the queue by now. `None` stays there, for the end."""
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item is None:
                    self._queue.put(None)
                    return
                self._take(item)

    def _next_batch(self) -> list[Job]:
        """Take the job that has waited for longest, and those that may run with it."""
        first = self._waiting.popleft()
        batcher = first.invocation.batcher
        rows: set[int] = set()
        key = batch_key(first.inputs, rows) if batcher and batcher.state is ON else None
        if batcher is None or key is None or len(rows) != 1 or 0 in rows:
            return [first]
        jobs, left, total = [first], deque[Job](), rows.pop()
        while self._waiting:
            job = self._waiting.popleft()
            rows.clear()
            if (
                job.invocation.batcher is batcher
                and batch_key(job.inputs, rows) == key
                and len(rows) == 1
                and total + (count := rows.pop()) <= batcher.max_rows
            ):
                jobs.append(job)
                total += count
            else:
                left.append(job)
        self._waiting = left
        return jobs

    def _launch_batch(self, jobs: list[Job]) -> Flight | None:
        """Launch jobs as one; None if none of them is on its way then."""
        if self._error is not None:
            self._fail(jobs, self._error)
            return None
        wanted = [job for job in jobs if self._start_job(job)]
        if len(wanted) < len(jobs):
            self._finish([job for job in jobs if not job.is_running])
        if not wanted:
            return None
        try:
            return self._launch(wanted)
        except Exception as error:
            problem = self._problem_of(wanted, error)
        if len(wanted) == 1 or self._error is not None:
            self._fail(wanted, problem)
        else:  # alone, each has its own error or none
            for job in wanted:
                self._run_alone(job)
        return None

    def _launch(self, jobs: list[Job]) -> Flight:
        """Launch jobs as one. Raises what the method raises."""
        method = device_method(jobs[0])
        inputs = [job.inputs or [] for job in jobs]
        batcher = jobs[0].invocation.batcher
        is_batch = batcher is not None and batcher.state is ON
        sizes = [rows_of(each) or 0 for each in inputs] if is_batch else [0] * len(jobs)
        self._events.set_running(jobs[0].invocation.model)
        try:
            launch = method.launch(inputs, sum(sizes))
        finally:
            self._events.set_running("")
        flight = Flight(jobs, sizes, launch)
        with self._lock:
            self._airborne.append(flight)
        if batcher is not None and batcher.state is UNVALIDATED:
            self._validate(flight, method)
        return flight

    def _run_alone(self, job: Job) -> None:
        try:
            flight = self._launch([job])
        except Exception as error:
            self._fail([job], self._problem_of([job], error))
        else:
            self._land(flight, has_permit=False)

    def _problem_of(self, jobs: list[Job], error: Exception) -> Exception:
        """What a request is told of an error that its launch raised."""
        if isinstance(error, ServingError):
            return error
        problem = device_error(error)
        if isinstance(problem, DeviceFailed):
            self._on_failure(problem, jobs)
        return problem or jobs[0].invocation.translate(error)

    def _validate(self, flight: Flight, method: DeviceMethod) -> None:
        """Let the first request of a method decide whether its requests run as batches."""
        job = flight.jobs[0]
        batcher = job.invocation.batcher
        with suppress(Exception):  # whoever lands the flight reports it
            flight.launch.progress.wait()
            if batcher is not None:
                batcher.validate(
                    lambda others: method.run(*others), job.inputs or [], flight.launch.outputs
                )

    # In the landing thread, and in the launching thread where nothing else is to be launched.

    def _land_flights(self) -> None:
        INFERENCE.enter()
        while (flight := self._landing.get()) is not None:
            try:
                self._land(flight)
            except Exception as error:
                self._fail(flight.jobs, error)
            del flight

    def _land(self, flight: Flight, has_permit: bool = True) -> None:
        """Wait for the end of a flight, and hand its results on."""
        progress = flight.launch.progress
        try:
            progress.wait()
        except Exception as error:
            self._on_failure(device_error(error) or error, flight.jobs)
        finally:
            with self._lock, suppress(ValueError):
                self._airborne.remove(flight)
            if has_permit:
                self._free.release()
        if progress.has_ended():
            self._hand_on(flight)
        else:
            self._fail(flight.jobs, self._error or DeviceFailed())

    def _hand_on(self, flight: Flight) -> None:
        jobs = flight.jobs
        try:
            results = flight.launch.results(flight.sizes)
        except NotRowWise as error:
            if batcher := jobs[0].invocation.batcher:
                batcher.turn_off(str(error))
            for job in jobs:
                self._run_alone(job)
            return
        self._record_times(flight)
        for job, outputs in zip(jobs, results, strict=True):
            job.outputs = outputs
            job.has_run = True
            job.is_shared = len(jobs) > 1
        self._finish(jobs)

    def _record_times(self, flight: Flight) -> None:
        """Record each job's share of the copies and of the run."""
        jobs = flight.jobs
        if self._error is not None:
            return  # a device that failed knows no times any more
        copy_s, run_s = (each_s / len(jobs) for each_s in flight.launch.progress.seconds())
        for job in jobs:
            counters = job.invocation.counters
            counters.observe_step(COPY, copy_s)
            counters.observe_step(RUN.number, run_s)
            if job.steps is not None:
                now_s = time.perf_counter()
                job.steps.append((RUN.number, now_s - run_s, now_s))
        jobs[0].invocation.counters.observe_batch(len(jobs))

    def _on_failure(self, error: Exception, jobs: list[Job]) -> None:
        """The device fails for good: blame the first flight that did not come to its end."""
        with self._lock:
            if self._error is not None:
                return
            lost = (each.jobs for each in self._airborne if not each.launch.progress.has_ended())
            guilty = next(lost, jobs)[0].invocation.model
            self._error = error if isinstance(error, DeviceFailed) else DeviceFailed(str(error))
        self._events.on_fatal(f"{self._accelerator.device} is in error, running {guilty}")

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        fail_all(jobs, error)
        self._finish(jobs)


def device_method(job: Job) -> DeviceMethod:
    method = job.invocation.device_method
    if method is None:
        raise TypeError(f"{job.invocation.model} runs on the CPU")
    return method

"""Device executors: one for each device that is not the CPU.

Its launching thread takes all requests that wait and may run as one, and tells the device what to
do: one copy in, one run, one copy out. Its landing thread waits for the device, and hands the
results on. So the device works on one batch while the next one is made ready, and nothing waits for
a batch to fill.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from torch_serving.engine.accelerator import Accelerator
from torch_serving.engine.batch_tensors import concatenate, rows_of
from torch_serving.engine.batcher import ON, UNVALIDATED, Batcher
from torch_serving.engine.cuda_graphs import EAGER_RUNS
from torch_serving.engine.device_errors import device_error
from torch_serving.engine.device_method import DeviceMethod
from torch_serving.engine.device_queue import DeviceQueue
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.flights import Flight, Flights
from torch_serving.engine.guarded_thread import guarded_thread, join_all
from torch_serving.engine.inference_mode import INFERENCE
from torch_serving.engine.job import Job
from torch_serving.engine.memory import retry_with_more_memory
from torch_serving.engine.steps import error_of_job
from torch_serving.errors import DeviceFailed, OutOfMemory, ServingError
from torch_serving.telemetry._counters import DeviceCounters

FLIGHTS = 3  # launches that a device has at once: one runs, one is copied in, one is copied out
T = TypeVar("T")


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
        counters: DeviceCounters,
    ) -> None:
        self._accelerator = accelerator
        self._events = events
        self._start_job = start_job
        self._finish = finish
        self._is_alone = is_alone
        self._queue = DeviceQueue()
        self._flights = Flights(accelerator.device, events.on_fatal, finish, counters)
        self._landing: SimpleQueue[Flight | None] = SimpleQueue()
        self._free = threading.Semaphore(FLIGHTS)
        self._has_entered = False
        self._threads = [
            guarded_thread(f"{accelerator.device} {name}", run, events.on_fatal, on_death)
            for name, run, on_death in (
                ("launch", self._launch_jobs, self._fail_waiting),
                ("land", self._land_flights, self._fail_flights),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, jobs: list[Job]) -> None:
        """Have decoded jobs run. For any thread."""
        refusal = self._flights.error or self._queue.put(jobs)
        if refusal is not None:
            self._flights.fail(jobs, refusal)

    def call(self, function: Callable[[], T]) -> "Future[T]":
        """Call a function between two launches, in the thread that makes them."""

        def call() -> T:
            self._enter()
            return function()

        return self._queue.call(call)

    def close(self) -> None:
        """Let the threads end once all jobs that were put in have run."""
        self._queue.close()

    def join(self, timeout_s: float) -> None:
        join_all(self._threads, timeout_s)

    # In the launching thread.

    def _launch_jobs(self) -> None:
        INFERENCE.enter()
        while self._queue.wait():
            self._free.acquire()  # meanwhile more may come, and join the batch
            flight = self._launch_next()
            if flight is None:
                self._free.release()
            elif self._is_alone():
                self._land(flight)
            else:
                self._landing.put(flight)
            del flight  # a thread that waits keeps no request alive
        self._landing.put(None)

    def _launch_next(self) -> Flight | None:
        jobs, sizes = self._queue.take_batch()
        try:
            return self._launch_batch(jobs, sizes)
        except BaseException:
            self._flights.abandon(jobs)
            raise

    def _enter(self) -> None:
        if not self._has_entered:
            self._accelerator.enter()
            self._has_entered = True

    def _launch_batch(self, jobs: list[Job], sizes: list[int]) -> Flight | None:
        """Launch jobs of so many rows as one; None if none of them is on its way then."""
        if self._flights.error is not None:
            self._flights.fail(jobs, self._flights.error)
            return None
        wanted = [job for job in jobs if self._start_job(job)]
        if len(wanted) < len(jobs):
            sizes = [size for job, size in zip(jobs, sizes, strict=True) if job.is_running]
            self._finish([job for job in jobs if not job.is_running])
        if not wanted:
            return None
        try:
            self._enter()
            return self._launch(wanted, sizes)
        except BaseException as error:
            problem = self._problem_of(wanted, error)
        is_settled = len(wanted) == 1 and not isinstance(problem, OutOfMemory)
        if is_settled or self._flights.error is not None:
            self._flights.fail(wanted, problem)
        else:  # alone, each has its own error or none
            for job in wanted:
                self._run_alone(job)
        return None

    def _launch(self, jobs: list[Job], sizes: list[int]) -> Flight:
        """Launch jobs as one. Raises what the method raises."""
        method = device_method(jobs[0])
        inputs = [job.inputs or [] for job in jobs]
        batcher = jobs[0].invocation.batcher
        self._events.set_running(jobs[0].invocation.model)
        try:
            launch = method.launch(inputs, sum(sizes))
        finally:
            self._events.set_running("")
        flight = Flight(jobs, sizes, launch)
        self._flights.add(flight)
        if batcher is not None and batcher.state is UNVALIDATED:
            self._validate(flight, method, batcher)
        return flight

    def _problem_of(self, jobs: list[Job], error: BaseException) -> Exception:
        """What a request is told of an error that its launch raised."""
        if isinstance(error, ServingError) or not isinstance(error, Exception):
            return error_of_job(error)
        problem = device_error(error) or self._failure()
        if isinstance(problem, DeviceFailed):
            problem.__cause__ = error  # its frames hold what was copied to the device
            self._flights.on_failure(problem, jobs)
        return problem or jobs[0].invocation.translate(error)

    def _failure(self) -> ServingError | None:
        """What the device says itself: libraries have words of their own for its failure."""
        try:
            self._accelerator.check()
        except Exception as error:
            return device_error(error)
        return None

    def _validate(self, flight: Flight, method: DeviceMethod, batcher: Batcher) -> None:
        """Let the first request of a method decide whether its requests run as batches."""
        inputs = flight.jobs[0].inputs or []
        with suppress(BaseException):  # whoever lands the flight reports it
            flight.launch.progress.wait()
            batcher.validate(lambda others: method.run(*others), inputs, flight.launch.outputs)
            if batcher.state is ON and self._accelerator.pads:
                self._queue.add_spare_work(list(first_batches(method, batcher, inputs)))

    # In either thread.

    def _run_alone(self, job: Job) -> None:
        """Run a job, if need be with memory that others leave, and wait for it."""

        def run() -> Exception | None:
            try:
                flight = self._launch([job], [rows_in_batch(job)])
            except BaseException as error:
                return self._problem_of([job], error)
            self._flights.land(flight)
            return run() if self._flights.hand_on(flight) else None  # not in a batch any more

        error = run()
        if isinstance(error, OutOfMemory):
            device, free_memory = job.invocation.device, self._events.free_memory
            error = retry_with_more_memory(error, device, run, free_memory)
        if error is not None:
            self._flights.fail([job], error)

    def _land(self, flight: Flight) -> None:
        """Wait for the end of a flight, let the next one start, and hand the results on."""
        try:
            self._flights.land(flight)
            self._free.release()
            for job in self._flights.hand_on(flight):
                self._run_alone(job)
        except BaseException:
            self._flights.abandon(flight.jobs)
            raise

    # In the landing thread.

    def _land_flights(self) -> None:
        INFERENCE.enter()
        while (flight := self._landing.get()) is not None:
            self._land(flight)
            del flight

    # In a thread that dies: the process is to end, and nobody is to wait for that.

    def _fail_waiting(self) -> None:
        error = self._flights.give_up()
        self._flights.fail(self._queue.drain(error), error)
        self._landing.put(None)

    def _fail_flights(self) -> None:
        error = self._flights.give_up()  # the launching thread fails all jobs from now on
        while (flight := self._landing.get()) is not None:
            self._flights.fail(flight.jobs, error)
            self._free.release()


def first_batches(
    method: DeviceMethod, batcher: Batcher, inputs: list[Any]
) -> Iterator[Callable[[], Any]]:
    """Runs of the batches that requests like this one will form, until their shapes are known."""
    for count in batcher.sizes(rows_of(inputs) or 1):
        batch = concatenate([inputs] * count)
        yield from [functools.partial(method.run, *batch)] * (EAGER_RUNS + 1)


def rows_in_batch(job: Job) -> int:
    """The rows of a job; 0 if it can be no part of a batch."""
    batcher = job.invocation.batcher
    return rows_of(job.inputs or []) or 0 if batcher and batcher.state is ON else 0


def device_method(job: Job) -> DeviceMethod:
    method = job.invocation.device_method
    if method is None:
        raise TypeError(f"{job.invocation.model} runs on the CPU")
    return method

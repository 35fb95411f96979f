"""Flights: the launches that a device is busy with, until their results are handed on."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import torch

from torch_serving.engine.device_errors import device_error, explain
from torch_serving.engine.device_method import Launch
from torch_serving.engine.events import DEVICE_ERROR, OnFatal
from torch_serving.engine.job import Job
from torch_serving.engine.steps import COPY, RUN, fail_all
from torch_serving.errors import DeviceFailed
from torch_serving.telemetry._counters import DeviceCounters
from torch_serving.telemetry.tracing import StepTime


@dataclass(eq=False)
class Flight:
    """A launch, and the jobs whose results it brings."""

    jobs: list[Job]
    sizes: list[int]  # rows of each job
    launch: Launch


class Flights:
    """The flights of one device. `finish` is called with jobs that have run or failed.

    `error` is set once the device works no more; `on_fatal` is called then.
    """

    def __init__(
        self,
        device: torch.device,
        on_fatal: OnFatal,
        finish: Callable[[Sequence[Job]], None],
        counters: DeviceCounters,
    ) -> None:
        self.error: DeviceFailed | None = None
        self._device = device
        self._on_fatal = on_fatal
        self._finish = finish
        self._counters = counters
        self._lock = threading.Lock()  # guards _airborne, _handed_on and the change of error
        self._airborne: deque[Flight] = deque()  # in the order of their launches
        self._handed_on: WeakSet[Job] = WeakSet()
        # of a device that failed: torch ends the process where memory of its copies is freed
        self._kept: list[Any] = []

    def add(self, flight: Flight) -> None:
        with self._lock:
            self._airborne.append(flight)

    def land(self, flight: Flight) -> None:
        """Wait for the end of a flight."""
        try:
            flight.launch.progress.wait()
        except Exception as error:
            self.on_failure(device_error(error) or error, flight.jobs)
        finally:
            with self._lock:
                self._airborne.remove(flight)

    def hand_on(self, flight: Flight) -> list[Job]:
        """Hand the results of a flight on, and return the jobs that are to run one by one."""
        try:
            return self._hand_on(flight)
        finally:
            if self.error is not None:
                self._kept.append(flight.launch)

    def _hand_on(self, flight: Flight) -> list[Job]:
        jobs = flight.jobs
        if not flight.launch.progress.has_ended():
            self.fail(jobs, self.error or DeviceFailed())
            return []
        try:
            results = flight.launch.results(flight.sizes)
        except Exception as error:  # NotRowWise, or torch can't divide this kind of tensor
            if batcher := jobs[0].invocation.batcher:
                batcher.turn_off(explain(error).partition("\n")[0])
            return jobs
        self._record(flight)
        with self._lock:
            self._handed_on.update(jobs)
        for job, outputs in zip(jobs, results, strict=True):
            job.outputs = outputs
            job.has_run = True
            job.is_shared = len(jobs) > 1
        self._finish(jobs)
        return []

    def _record(self, flight: Flight) -> None:
        """Record each job's share of the copies and of the run, and the size of the batch."""
        jobs, launch = flight.jobs, flight.launch
        try:
            whole_copy_s, whole_run_s = launch.progress.seconds()
        except Exception as error:  # a device that has failed since knows no times any more
            self.on_failure(device_error(error) or error, jobs)
            return
        copy_s, run_s = whole_copy_s / len(jobs), whole_run_s / len(jobs)
        now_s = time.perf_counter()
        ran_s, copied_s = now_s - whole_run_s, now_s - whole_run_s - whole_copy_s
        for job in jobs:
            counters = job.invocation.counters
            counters.observe_step(COPY, copy_s)
            counters.observe_step(RUN.number, run_s)
            if job.steps is not None:
                job.steps.append(StepTime(COPY, copied_s, ran_s, len(jobs)))
                job.steps.append(StepTime(RUN.number, ran_s, now_s, len(jobs)))
        jobs[0].invocation.counters.observe_batch(len(jobs))
        self._counters.count_batch(launch.rows or len(jobs), launch.padded_rows)

    def on_failure(self, error: Exception, jobs: list[Job]) -> None:
        """The device fails for good: blame the first flight that did not come to its end.

        If all did, `jobs` are to blame.
        """
        with self._lock:
            if self.error is not None:
                return
            lost = (each.jobs for each in self._airborne if not each.launch.progress.has_ended())
            guilty = next(lost, jobs)[0].invocation.model
            self.error = error if isinstance(error, DeviceFailed) else DeviceFailed(str(error))
            self._kept += [(each.outputs, each.response) for each in self._handed_on]
        self._on_fatal(f"{DEVICE_ERROR}: {self._device}", (guilty,))

    def abandon(self, jobs: Sequence[Job]) -> None:
        """Fail the jobs of a thread that dies, but for those that were handed on."""
        self.fail([job for job in jobs if job.is_running], self.give_up())

    def give_up(self) -> DeviceFailed:
        """Have all later jobs fail, and return their error."""
        with self._lock:
            self.error = self.error or DeviceFailed("the server process starts again")
            return self.error

    def fail(self, jobs: Sequence[Job], error: Exception) -> None:
        if jobs:
            fail_all(jobs, error)
            self._finish(jobs)

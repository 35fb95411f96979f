"""Executor threads: a fixed number of threads that run jobs in turn.

Whatever may take long runs here and never on the event loop, so that sockets and health checks are
always served (tests/engine/test_engine.py::test_the_loop_is_free_while_a_model_runs). Jobs of a
device with an executor of its own are only decoded and encoded here.
"""

import functools
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from torch_serving.engine.batcher import ON, Batcher
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.guarded_thread import guarded_thread, join_all
from torch_serving.engine.job import Job
from torch_serving.engine.memory import retry_with_more_memory
from torch_serving.engine.steps import (
    ENCODE,
    decode,
    error_of_job,
    fail_all,
    retry,
    run_and_encode,
    run_step,
)
from torch_serving.errors import OutOfMemory, ShuttingDown


class ThreadExecutor:
    """Runs jobs in threads.

    Called in these threads: `start_job` before a job runs, which returns whether it is still
    wanted; `finish` with jobs that are done; `run_on_device` with jobs that were decoded for one;
    `on_end` once all threads have ended.
    """

    def __init__(
        self,
        threads: int,
        events: EngineEvents,
        start_job: Callable[[Job], bool],
        finish: Callable[[Sequence[Job]], None],
        run_on_device: Callable[[list[Job]], None],
        on_end: Callable[[], None],
    ) -> None:
        self._events = events
        self._start_job = start_job
        self._finish = finish
        self._run_on_device = run_on_device
        self._on_end = on_end
        # a job, a batcher that has jobs waiting, or None: a thread ends
        self._queue: SimpleQueue[Job | Batcher | None] = SimpleQueue()
        self._living = threads  # those that have neither ended nor died
        self._lock = threading.Lock()  # guards _living
        self._threads = [
            guarded_thread(f"executor-{i}", self._work, events.on_fatal, self._on_death)
            for i in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the threads end once all jobs that were put in are done."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end, after `close`."""
        join_all(self._threads, timeout_s)

    def put(self, job: Job) -> None:
        """Have a job run; or decoded or encoded, if a device runs it. For any thread."""
        invocation = job.invocation
        batcher = invocation.batcher
        if batcher is not None and batcher.state is ON and invocation.device_method is None:
            batcher.waiting.append(job)
            self._queue.put(batcher)
        else:
            self._queue.put(job)

    # In an executor thread.

    def _work(self) -> None:
        self._take_jobs(self._advance)
        if self._is_last():
            self._on_end()

    def _on_death(self) -> None:
        """Refuse jobs once no thread is left: the process is to end, and nobody waits for that."""
        if self._is_last():
            self._take_jobs(self._refuse)
            self._on_end()

    def _is_last(self) -> bool:
        """Count a thread as gone, and return whether no other one is left."""
        with self._lock:
            self._living -= 1
            return not self._living

    def _refuse(self, jobs: Sequence[Job]) -> None:
        error = ShuttingDown("this server process has broken down, and starts again")
        fail_all([job for job in jobs if not job.has_run], error)
        self._finish(jobs)  # what has run is encoded on the event loop

    def _take_jobs(self, advance: Callable[[Sequence[Job]], None]) -> None:
        while (item := self._queue.get()) is not None:
            # a free thread takes all that waits; those after it find nothing
            jobs = [item] if isinstance(item, Job) else item.take_waiting()
            if jobs:
                advance(jobs)
            del item, jobs  # an idle thread keeps no request alive

    def _advance(self, jobs: Sequence[Job]) -> None:
        try:
            if jobs[0].invocation.device_method is None:
                self._run([job for job in jobs if self._start_job(job)])
            elif jobs[0].has_run:
                run_step(ENCODE, jobs)
                jobs[0].has_run = False
            elif self._decode(jobs[0]):
                return
        except BaseException as error:  # a thread that dies would leave all later jobs waiting
            fail_all(jobs, error_of_job(error))
        self._finish(jobs)

    def _run(self, jobs: Sequence[Job]) -> None:
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

    def _decode(self, job: Job) -> bool:
        """Decode a job and hand it to its device, unless nobody waits for it or its body is bad."""
        if job.completion is not None and job.completion.done():
            return False
        decode((job,))
        job.invocation.inline.record_decode(job.body_bytes, job.elapsed_s)
        if job.error is not None:
            return False
        job.enqueued_s += job.elapsed_s  # it did not wait meanwhile
        self._run_on_device([job])  # from here on it is the device's, which may have failed it
        return True

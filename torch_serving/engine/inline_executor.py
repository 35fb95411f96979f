"""Inline execution: jobs that are known to be short run on the event loop's own thread.

No thread is woken for them: to wake one takes longer than to run a small model.
"""

import asyncio
import time

from torch_serving.engine.busy_poll import BusyPoll
from torch_serving.engine.dispatcher import Dispatcher
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.job import Job
from torch_serving.engine.steps import (
    can_run_inline,
    decode_inline,
    fail_all,
    resolve,
    run_and_encode,
)


class InlineExecutor:
    """Runs short jobs in the next turn of one loop, and gives others to the dispatcher.

    Jobs of one turn are run together.
    """

    def __init__(self, dispatcher: Dispatcher, events: EngineEvents) -> None:
        self._dispatcher = dispatcher
        self._events = events
        self._jobs: list[Job] = []  # of the next turn
        self._busy_poll = BusyPoll()

    def enqueue(self, job: Job) -> None:
        """Run a job; its completion gets the response in a later turn of the loop."""
        if not job.invocation.inline.may_run_inline(job.body_bytes):
            self._dispatcher.enqueue(job)
            return
        if not self._jobs:
            asyncio.get_running_loop().call_soon(self._run_turn)
        self._jobs.append(job)

    def _run_turn(self) -> None:
        started_s = time.perf_counter()
        jobs, self._jobs = self._jobs, []
        decode_inline(jobs)
        short, long = [], []
        for job in jobs:
            if can_run_inline(job):
                short.append(job)
            else:
                job.invocation.inline.record_decode(job.body_bytes, job.elapsed_s)
                long.append(job)
        if long:
            self._dispatcher.enqueue_all(long)
        try:
            run_and_encode(short, self._events.set_running)
        except Exception as error:  # else nobody would complete them
            fail_all(short, error)
        for job in short:
            if job.error is not None:
                self._events.check_device(job.error, job.invocation.model)
            resolve(job)
        if len(jobs) == 1 and not self._dispatcher.jobs:
            self._busy_poll.on_response(started_s, asyncio.get_running_loop())

    def run_now(self, job: Job) -> bool:
        """Run a job at once if it is short, and return whether it was.

        A job that is not short may have been decoded.
        """
        if not job.invocation.inline.may_run_inline(job.body_bytes):
            return False
        decode_inline((job,))
        if not can_run_inline(job):
            job.invocation.inline.record_decode(job.body_bytes, job.elapsed_s)
            return False
        run_and_encode((job,), self._events.set_running)
        if job.error is not None:
            self._events.check_device(job.error, job.invocation.model)
        return True

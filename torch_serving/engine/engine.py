"""The engine: runs jobs, from the bytes of a body to the bytes of a response.

Jobs that are known to be short run inline, on the event loop's own thread; all others run in
executor threads.
"""

import asyncio
from collections.abc import Callable, Sized
from typing import TypeVar

import torch

from torch_serving.codecs.interfaces import Body, Encoded
from torch_serving.engine.accelerator import accelerator_of
from torch_serving.engine.cores import cores
from torch_serving.engine.dispatcher import Dispatcher, Limits
from torch_serving.engine.events import EngineEvents
from torch_serving.engine.inline_executor import InlineExecutor
from torch_serving.engine.interfaces import Invocation
from torch_serving.engine.job import Job
from torch_serving.engine.steps import result, run_all
from torch_serving.errors import ShuttingDown
from torch_serving.telemetry._counters import Statistics
from torch_serving.telemetry.tracing import StepTime

T = TypeVar("T")

MAX_THREADS = 8
DEFAULT_LIMITS = Limits()
NO_EVENTS = EngineEvents()


class Engine:
    """Runs jobs. `submit` and `enqueue` are for the thread of one event loop, `run` for any thread.

    `in_flight` are the requests that the server is busy with: when there is more than one, short
    jobs of one turn of the loop wait for each other.
    """

    def __init__(
        self,
        threads: int,
        in_flight: Sized = (),
        intra_op_threads: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        events: EngineEvents = NO_EVENTS,
        statistics: Statistics | None = None,
    ) -> None:
        self.threads = threads
        self.intra_op_threads = intra_op_threads or max(1, cores() // threads)
        self.request_timeout_s = limits.request_timeout_s
        self.is_started = False
        self._in_flight = in_flight
        statistics = statistics or Statistics()
        self._dispatcher = Dispatcher(threads, in_flight, limits, events, statistics)
        self._inline = InlineExecutor(self._dispatcher, events)
        self.enqueue = self._inline.enqueue  # an attribute: the fast path pays for no frame more

    def start(self) -> None:
        """Start the threads, and divide the cores among them."""
        torch.set_num_threads(self.intra_op_threads)
        self._dispatcher.start()
        self.is_started = True

    def close(self) -> None:
        """Let the threads end once all jobs that were submitted are done."""
        self._dispatcher.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the threads to end, after `close`. A model that hangs keeps its thread."""
        self._dispatcher.join(timeout_s)

    def call_on(self, device: torch.device, function: Callable[[], T]) -> T:
        """Call a function where methods of a device run, and wait for it."""
        return self._dispatcher.call_on(accelerator_of(device), function)

    def run(self, invocation: Invocation, body: Body) -> Encoded:
        """Run a request in the calling thread; raises what its steps raise."""
        job = Job(invocation, body)
        run_all((job,))
        return result(job)

    async def submit(
        self,
        invocation: Invocation,
        body: Body,
        timeout_s: float | None = None,
        steps: list[StepTime] | None = None,
    ) -> Encoded:
        """Run a request inline if it is known to be short, else in a thread.

        Raises Overloaded if too many requests wait already or this one waited too long,
        DeadlineExceeded after `timeout_s` or the limit for all requests, and what the steps raise.
        `steps` gets the times of the steps.
        """
        job = Job(invocation, body, timeout_s, steps)
        if len(self._in_flight) < 2 and self._inline.run_now(job):
            return result(job)
        future: asyncio.Future[Encoded] = asyncio.get_running_loop().create_future()
        job.completion = future
        if job.inputs is not None:
            self._dispatcher.enqueue(job)
        else:
            self.enqueue(job)
        try:
            return await future
        except asyncio.CancelledError:  # a thread that has not begun with the job leaves it out
            raise ShuttingDown("the server stops before the response is ready") from None

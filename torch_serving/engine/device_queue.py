"""What waits for a device: jobs, which are taken out as batches, and calls between them."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from torch_serving.engine.batch_tensors import batch_key
from torch_serving.engine.batcher import ON
from torch_serving.engine.job import Job

T = TypeVar("T")


class Call(NamedTuple):
    """A function to be called in the thread that takes jobs."""

    function: Callable[[], Any]
    future: "Future[Any]"

    def make(self) -> None:
        try:
            self.future.set_result(self.function())
        except Exception as error:
            self.future.set_exception(error)


class DeviceQueue:
    """`put`, `call` and `close` are for any thread, the rest for the one that takes jobs."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[Job] | Call | None] = SimpleQueue()
        self._jobs: deque[Job] = deque()  # taken out of the queue, in order
        self._spare_work: deque[Callable[[], Any]] = deque()

    def put(self, jobs: list[Job]) -> None:
        """Put jobs in together: the thread that takes them is woken once."""
        self._queue.put(jobs)

    def call(self, function: Callable[[], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._queue.put(Call(function, future))
        return future

    def close(self) -> None:
        """Let `wait` return False once all that was put in is taken."""
        self._queue.put(None)

    def add_spare_work(self, work: list[Callable[[], Any]]) -> None:
        """Do something when there are no jobs. If it raises an error, the rest is left undone."""
        self._spare_work.extend(work)

    def wait(self) -> bool:
        """Wait until there is a job; return False once there will be none any more."""
        while not self._jobs:
            if self._spare_work and self._queue.empty():
                self._do_spare_work()
                continue
            item = self._queue.get()
            if item is None:
                return False
            self._take(item)
        return True

    def _do_spare_work(self) -> None:
        try:
            self._spare_work.popleft()()
        except Exception:  # a request will meet it, if it matters
            self._spare_work.clear()

    def _take(self, item: list[Job] | Call) -> None:
        if isinstance(item, Call):
            item.make()
        else:
            self._jobs.extend(item)

    def take_batch(self) -> tuple[list[Job], list[int]]:
        """Take the job that has waited for longest, and those that may run with it.

        Return them with their rows; [0] for one that is no part of a batch.
        """
        self._take_all()
        first = self._jobs.popleft()
        batcher = first.invocation.batcher
        if batcher is None or batcher.state is not ON:
            return [first], [0]
        rows: set[int] = set()
        key = batch_key(first.inputs, rows)
        if len(rows) != 1 or 0 in rows:
            return [first], [0]
        batch, sizes, left = [first], [rows.pop()], deque[Job]()
        total = sizes[0]
        for job in self._jobs:
            rows.clear()
            if (
                job.invocation.batcher is batcher
                and batch_key(job.inputs, rows) == key
                and len(rows) == 1
                and total + min(rows) <= batcher.max_rows
            ):
                batch.append(job)
                sizes.append(rows.pop())
                total += sizes[-1]
            else:
                left.append(job)
        self._jobs = left
        return batch, sizes

    def _take_all(self) -> None:
        """Take what is in the queue by now. `None` stays there, for the end."""
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item is None:
                    self._queue.put(None)
                    return
                self._take(item)

    def drain(self, error: Exception) -> list[Job]:
        """Fail the calls that wait, and return the jobs. For any thread, once none takes jobs."""
        jobs = list(self._jobs)
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if isinstance(item, Call):
                    item.future.set_exception(error)
                elif item is not None:
                    jobs += item
        return jobs

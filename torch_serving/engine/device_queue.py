"""What waits for a device: jobs, which are taken out as batches, and calls between them.

Methods take turns, so that a request waits for one run of each other method, however many wait.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from torch_serving.engine.batch_tensors import batch_key, is_row_count
from torch_serving.engine.batcher import ON
from torch_serving.engine.device_method import DeviceMethod
from torch_serving.engine.job import Job
from torch_serving.engine.steps import error_of_job
from torch_serving.errors import ShuttingDown

T = TypeVar("T")


class Call(NamedTuple):
    """A function to be called in the thread that takes jobs."""

    function: Callable[[], Any]
    future: "Future[Any]"

    def make(self) -> None:
        try:
            self.future.set_result(self.function())
        except BaseException as error:  # the thread has to go on
            is_usual = isinstance(error, Exception)
            self.future.set_exception(error if is_usual else error_of_job(error))


class DeviceQueue:
    """`put`, `call` and `close` are for any thread, the rest for the one that takes jobs."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[Job] | Call | None] = SimpleQueue()
        self._lock = threading.Lock()  # nothing is put in once _refusal is set
        self._refusal: Exception | None = None
        # taken out of the queue, in order; the method whose turn is next comes first
        self._waiting: defaultdict[DeviceMethod | None, deque[Job]] = defaultdict(deque)
        self._spare_work: deque[Callable[[], Any]] = deque()

    def put(self, item: list[Job] | Call) -> Exception | None:
        """Put jobs in together: the thread that takes them is woken once.

        Returns why not, if they would never be taken.
        """
        with self._lock:
            if self._refusal is None:
                self._queue.put(item)
            return self._refusal

    def call(self, function: Callable[[], T]) -> "Future[T]":
        future: Future[T] = Future()
        refusal = self.put(Call(function, future))
        if refusal is not None:
            future.set_exception(refusal)
        return future

    def close(self) -> None:
        """Let `wait` return False once all that was put in is taken."""
        self._refuse(ShuttingDown())
        self._queue.put(None)

    def _refuse(self, error: Exception) -> None:
        with self._lock:
            self._refusal = self._refusal or error

    def add_spare_work(self, work: list[Callable[[], Any]]) -> None:
        """Do something when there are no jobs. If it raises an error, the rest is left undone."""
        self._spare_work.extend(work)

    def wait(self) -> bool:
        """Wait until there is a job; return False once there will be none any more."""
        while not self._waiting:
            if self._spare_work and self._queue.empty():
                self._do_spare_work()
                continue
            if not self._take(self._queue.get()):  # no name for it: a call is not kept
                return False
        return True

    def _do_spare_work(self) -> None:
        try:
            self._spare_work.popleft()()
        except BaseException:  # a request will meet it, if it matters
            self._spare_work.clear()

    def _take(self, item: list[Job] | Call | None) -> bool:
        """Make a call, or let jobs wait for their turn. Returns False at the end."""
        if isinstance(item, Call):
            item.make()
        elif item is not None:
            for job in item:
                self._waiting[job.invocation.device_method].append(job)
        return item is not None

    def take_batch(self) -> tuple[list[Job], list[int]]:
        """Take the next method's job that has waited for longest, and those that may run with it.

        Return them with their rows; [0] for one that is no part of a batch.
        """
        self._take_all()
        method = next(iter(self._waiting))
        batch, sizes, left = first_batch(self._waiting.pop(method))
        if left:
            self._waiting[method] = left  # behind all others
        return batch, sizes

    def _take_all(self) -> None:
        """Take what is in the queue by now. `None` stays there, for the end."""
        with suppress(Empty):
            while self._take(self._queue.get_nowait()):
                pass
            self._queue.put(None)

    def drain(self, error: Exception) -> list[Job]:
        """Refuse what comes from now on, fail the calls that wait, and return the jobs."""
        self._refuse(error)
        jobs = [job for waiting in self._waiting.values() for job in waiting]
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if isinstance(item, Call):
                    item.future.set_exception(error)
                elif item is not None:
                    jobs += item
        return jobs


def first_batch(waiting: deque[Job]) -> tuple[list[Job], list[int], deque[Job]]:
    """Divide jobs of one method: those that run as one, their rows, and the jobs that are left."""
    first = waiting.popleft()
    batcher = first.invocation.batcher
    if batcher is None or batcher.state is not ON:
        return [first], [0], waiting
    rows: set[int] = set()
    key = batch_key(first.inputs, rows)
    if not is_row_count(rows):
        return [first], [0], waiting
    batch, sizes, left = [first], [rows.pop()], deque[Job]()
    total = sizes[0]
    for job in waiting:
        rows.clear()
        is_alike = is_equal(batch_key(job.inputs, rows), key) and is_row_count(rows)
        if is_alike and total + min(rows) <= batcher.max_rows:
            batch.append(job)
            sizes.append(rows.pop())
            total += sizes[-1]
        else:
            left.append(job)
    return batch, sizes, left


def is_equal(key: Any, other: Any) -> bool:
    try:
        return bool(key == other)
    except Exception:  # a program may hand in values that can't be compared, as arrays
        return False

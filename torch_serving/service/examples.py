"""Requests that work, by method, for descriptions: from warm-up requests, else found by trying.

What is tried runs on a copy of the model, in a process of its own where there is a parent to start
one: the model that serves, its device and this process are left alone.
"""

import asyncio
import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import NamedTuple

from torch_serving.models import trials
from torch_serving.models.examples import given_example
from torch_serving.models.files import FileStat, SidecarStats, file_stat, open_regular
from torch_serving.models.placement import CPU
from torch_serving.models.repository import ModelRepository
from torch_serving.models.servable import Servable

logger = logging.getLogger(__name__)

WAIT_S = trials.EXAMPLES_LIMIT_S + 3  # then a description goes without examples
MAX_COPY_BYTES = 2 << 30  # a larger model is not copied to describe it; a warm-up request helps
MAX_REMEMBERED = 32  # models, with up to 1 MiB each
MAX_WAITING = 100

# A request to the parent, and a file's descriptor -> lines. Raises OSError if it has no time.
FindExamples = Callable[[trials.Request, int], Iterable[bytes]]
Found = dict[str, bytes]  # JSON by method


class Subject(NamedTuple):
    """What examples are looked for: a version of a model's files, and methods."""

    name: str
    file: FileStat | None
    sidecars: SidecarStats
    methods: tuple[str, ...]


class Examples:
    """Finds examples, those of one model at a time, and remembers them. Safe to use anywhere.

    There is one search for each version of a file, whoever asks and however many; what made its
    process crash is not tried again.
    """

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository
        self._find: FindExamples = lambda *request: trials.examples(repository, *request)
        self._lock = threading.Lock()  # guards what follows
        self._remembered: OrderedDict[Subject, Future[Found]] = OrderedDict()  # the oldest first
        self._waiting: deque[tuple[Subject, Future[Found]]] = deque()
        self._is_searching = False

    def attach(self, find: FindExamples) -> None:
        """From now on, let `find` do it in a process of its own."""
        self._find = find

    async def of(self, servable: Servable) -> Found:
        """Return the examples of a model, those that are found in time."""
        given = await asyncio.to_thread(given_examples, servable)
        subject = subject_of(servable, given)
        if not subject.methods:
            return given
        try:
            search = asyncio.wrap_future(self._search(subject))
            return given | await asyncio.wait_for(search, WAIT_S)
        except asyncio.TimeoutError:
            return given

    def find(self, servable: Servable) -> Found:
        """Return the examples of a model, found in this thread."""
        given = given_examples(servable)
        subject = subject_of(servable, given)
        return given | self._try(subject) if subject.methods else given

    def _search(self, subject: Subject) -> Future[Found]:
        with self._lock:
            future = self._remembered.get(subject)
            if future is None:
                future = Future()
                future.set_running_or_notify_cancel()  # who waits no more can't cancel it
                self._enqueue_locked(subject, future)
            return future

    def _enqueue_locked(self, subject: Subject, future: Future[Found]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            future.set_result({})
            return
        self._remembered[subject] = future
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        self._waiting.append((subject, future))
        if not self._is_searching:
            self._is_searching = True
            # a daemon: without a process of its own, a search may never end
            threading.Thread(target=self._search_all, name="examples", daemon=True).start()

    def _search_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_searching = False
                    return
                subject, future = self._waiting.popleft()
            future.set_result(self._search_one(subject))

    def _search_one(self, subject: Subject) -> Found:
        try:
            return self._try(subject)
        except Exception as error:  # of the moment, as a lack of processes: it is tried again
            logger.warning("no example of %s is looked for: %s", subject.name, error)
            with self._lock:
                self._remembered.pop(subject, None)
            return {}

    def _try(self, subject: Subject) -> Found:
        path = self._repository.real_path(self._repository.resolve(subject.name, CPU))
        descriptor = open_regular(path)
        try:
            if file_stat(os.fstat(descriptor)) != subject.file:
                return {}  # it has changed since it was loaded
            request = trials.examples_request(subject.name, subject.methods)
            return trials.read_examples(self._find(request, descriptor))
        finally:
            os.close(descriptor)


def given_examples(servable: Servable) -> Found:
    """What the warm-up requests give: they are for the main method."""
    example = given_example(servable)
    return {} if example is None else {servable.main_name: example}


def subject_of(servable: Servable, given: Found) -> Subject:
    """What is left to look for."""
    is_small = servable.bytes() <= MAX_COPY_BYTES
    missing = [name for name in servable.method_names() if name not in given and is_small]
    return Subject(servable.identifier, servable.file, servable.sidecars, tuple(missing))

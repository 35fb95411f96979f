"""A remote model root: its list, and copies of what was asked for.

The list is a file that all processes read, and one of them renews. Nothing of this waits in a
request's thread: files come in threads of their own.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch_serving.errors import Overloaded
from torch_serving.models.remote.copies import Copies, disk_errors, locked, write_whole
from torch_serving.models.remote.fetch import Fetcher
from torch_serving.models.remote.holds import Holds
from torch_serving.models.remote.hub import HubSource
from torch_serving.models.remote.names import MANIFEST, beside, is_model, usable
from torch_serving.models.remote.objects import ObjectSource
from torch_serving.models.remote.source import Entry, RemoteError, Source, Unreachable
from torch_serving.models.remote.urls import STORES, RemoteUrl, default_cache
from torch_serving.models.remote.web import WebSource

logger = logging.getLogger(__name__)

THREADS = 4  # of each process that fetch; others wait for them
SEEN_AGAIN_S = 2.0  # an unknown name has the root listed anew, if that was not done just now
LISTED_WITHIN_S = 3.0  # who asks for an unknown name waits so long for the new list
MAX_PENDING = 64  # models that are fetched, or wait for it
AWAY_S = 10.0  # a root that could not be listed is not asked for unknown names for so long

Index = dict[str, Entry]


def index_of(data: bytes) -> Index:
    """Read a list that a process wrote; nothing of one that has another form."""
    try:
        return {each[0]: Entry(*each) for each in json.loads(data)}
    except (ValueError, TypeError, LookupError):
        return {}


class RemoteOptions(NamedTuple):
    """What the operator says of copies: where, how many bytes, and how patient to be."""

    cache: Path | None
    cache_bytes: int
    timeout_s: float
    refresh_s: float


def source_of(url: RemoteUrl, timeout_s: float) -> Source:
    if url.scheme in STORES:
        return ObjectSource(url, timeout_s)
    return HubSource(url, timeout_s) if url.scheme == "hf" else WebSource(url, timeout_s)


class RemoteRoot:
    """Safe to use from any thread. Its threads begin with the first fetch of a process."""

    def __init__(
        self,
        url: RemoteUrl,
        options: RemoteOptions,
        is_first_report: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.url = url
        self.options = options
        folder = Path(options.cache or default_cache()).absolute() / url.folder_name
        self.copies = Copies(folder, options.cache_bytes)
        self._holds = Holds(self.copies)
        self._is_first_report = is_first_report
        self._source = source_of(url, options.timeout_s)
        self._fetcher = Fetcher(self._source, self.copies)
        self._lock = threading.Lock()  # guards what follows
        self._threads: ThreadPoolExecutor | None = None
        self._pending: dict[str, Future[None]] = {}
        self._ask_again_s = 0.0
        self._index: Index = {}
        self._index_stat: tuple[int, int] = (0, 0)

    # The list.

    def index(self) -> Index:
        """What the root had when it was last listed, by any process."""
        path = self.copies.folder / "index.json"
        with suppress(OSError):
            status = path.stat()
            stat = (status.st_mtime_ns, status.st_ino)
            with self._lock:
                if stat != self._index_stat:
                    self._index = index_of(path.read_bytes())
                    self._index_stat = stat
        return self._index

    def age_s(self) -> float:
        """How long ago the root was listed."""
        return time.time() - self._listed_s()

    def _listed_s(self) -> float:
        with suppress(OSError):
            return (self.copies.folder / "listed").stat().st_mtime
        return float("-inf")

    def refresh(self, older_than_s: float = 0.0) -> bool:
        """List the root anew, unless somebody did or does; return whether it was done here.

        Raises RemoteError; then the list stays as it was.
        """
        with disk_errors():
            self.copies.make_folders()
            lock = self.copies.folder / "index.lock"
            with locked(lock, wait=older_than_s == 0) as is_free:
                if not is_free or self.age_s() < older_than_s:
                    return False
                self._list()
        return True

    def _list(self) -> None:
        started_s = time.monotonic()
        found, problems = usable(self._source.entries(), self.copies.ignores_case())
        for problem in problems[:100]:
            if self._is_first_report(problem):
                logger.warning("%s", problem)
        path, listed = self.copies.folder / "index.json", json.dumps(list(found.values())).encode()
        if not (path.exists() and path.read_bytes() == listed):  # else all processes would read it
            write_whole(path, listed)
        write_whole(path.with_name("listed"), b"")
        models = sum(map(is_model, found))
        took_s = time.monotonic() - started_s
        logger.debug("%s has %s models (%.2f s)", self.url.shown, f"{models:,}", took_s)

    def find(self, name: str) -> bool:
        """Whether the root has a file; a name that it lacked may have come just now."""
        if name in self.index():
            return True
        if time.monotonic() >= self._ask_again_s:
            asking = threading.Thread(target=self._list_again, name="remote list", daemon=True)
            asking.start()
            asking.join(LISTED_WITHIN_S)
        return name in self.index()

    def _list_again(self) -> None:
        try:
            self.refresh(SEEN_AGAIN_S)
        except RemoteError:
            self._ask_again_s = time.monotonic() + AWAY_S

    def is_first_report(self, fact: str) -> bool:
        """Whether no other process has told a fact since the root was last listed."""
        return self._is_first_report(f"{fact} ({self._listed_s()})")

    # Copies.

    def bring(self, name: str) -> "Future[None] | None":
        """Begin to fetch a model with the files beside it, or join those who wait for it.

        None if it is here already. The future raises RemoteError. Raises Overloaded.
        """
        self._holds.hold(name)
        if not self._stale(name):
            return None
        with self._lock:
            future = self._pending.get(name)
            if future is None or future.done():
                if len(self._pending) >= MAX_PENDING:
                    raise Overloaded(f"{MAX_PENDING} models are being fetched already")
                self._threads = self._threads or ThreadPoolExecutor(THREADS, "remote")
                future = self._pending[name] = self._threads.submit(self.fetch, name)
        future.add_done_callback(partial(self._end, name))
        return future

    def pending(self) -> list[str]:
        """What is being fetched by this process, or waits for that."""
        return list(self._pending)

    def _end(self, name: str, fetched: "Future[None]") -> None:
        with self._lock:
            if self._pending.get(name) is fetched:
                del self._pending[name]
        if fetched.cancelled() or fetched.exception():
            self._holds.let_go(name)  # there is nothing to hold

    def _stale(self, name: str) -> list[str]:
        """The files of a model whose newest version is not here.

        A manifest that is here is the last: an older model needs the older one.
        """
        index = self.index()
        order = [*beside(name), name]
        order.insert(0 if self.copies.version(MANIFEST) is None else len(order), MANIFEST)
        names = [each for each in order if each in index]
        return [each for each in names if self.copies.version(each) != index[each].version]

    def fetch(self, name: str) -> None:
        """Fetch a model in this thread. An older copy will do where no newer one comes."""
        try:
            self._renew(name)
        except RemoteError as error:
            if not self.is_here(name):
                raise
            self._tell_older(name, error)
        self._holds.hold(name)

    def is_here(self, name: str) -> bool:
        """Whether a version of a model can be loaded; none can without the manifest of the root."""
        needed = (name, MANIFEST) if MANIFEST in self.index() else (name,)
        return all(self.copies.version(each) is not None for each in needed)

    def _renew(self, name: str) -> None:
        with disk_errors():
            self.copies.make_folders()
        index = self.index()
        for each in (*beside(name), MANIFEST):
            if each not in index and self.copies.version(each) is not None:
                self.copies.drop(each)
        for each in self._stale(name):
            self._fetcher.fetch(index[each])

    def keep(self, loaded: Iterable[str], for_s: float) -> None:
        """Hold the copies of loaded models, and let those go that were not loaded for so long."""
        self._holds.keep(loaded, for_s, self._pending.__contains__)

    def update_copies(self) -> None:
        """Fetch newer versions of what is here, and remove what the root has no more."""
        index = self.index()
        for name in self.copies.names():
            if name not in index:
                self.copies.drop(name)
                logger.info("%s is gone from the root", name)
        for name in self.copies.names():
            if is_model(name) and self._stale(name) and not self._is_renewed(name):
                return  # others would wait in vain as well

    def _is_renewed(self, name: str) -> bool:
        try:
            self._renew(name)
        except RemoteError as error:
            self._tell_older(name, error)
            return not isinstance(error, Unreachable)
        return True

    def _tell_older(self, name: str, error: RemoteError) -> None:
        problem = f"{name} can't be fetched, the older copy serves: {error.message}"
        if self.is_first_report(problem):
            logger.warning("%s", problem)

    def close(self) -> None:
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

"""A remote model root: its list, and copies of what was asked for.

The list is a file that all processes read, and one of them renews. Nothing of this waits in a
request's thread: files come in threads of their own.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from torch_serving.models.remote.copies import Copies, locked, write_json
from torch_serving.models.remote.fetch import Fetcher
from torch_serving.models.remote.hub import HubSource
from torch_serving.models.remote.names import beside, is_model, usable
from torch_serving.models.remote.objects import ObjectSource
from torch_serving.models.remote.source import Entry, RemoteError, Source
from torch_serving.models.remote.urls import STORES, RemoteUrl, default_cache
from torch_serving.models.remote.web import WebSource

logger = logging.getLogger(__name__)

THREADS = 4  # of each process that fetch; others wait for them
SEEN_AGAIN_S = 2.0  # an unknown name has the root listed anew, if that was not done just now
AWAY_S = 10.0  # a root that could not be listed is not asked for unknown names for so long

Index = dict[str, Entry]


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
        self._is_first_report = is_first_report
        self._source = source_of(url, options.timeout_s)
        self._fetcher = Fetcher(self._source, self.copies)
        self._lock = threading.Lock()  # guards what follows
        self._threads: ThreadPoolExecutor | None = None
        self._pending: dict[str, Future[None]] = {}
        self._held: dict[str, tuple[int, float]] = {}  # descriptor, and since when
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
                    listed = json.loads(path.read_bytes())
                    self._index = {each[0]: Entry(*each) for each in listed}
                    self._index_stat = stat
        return self._index

    def age_s(self) -> float:
        """How long ago the root was listed."""
        with suppress(OSError):
            return time.time() - (self.copies.folder / "index.json").stat().st_mtime
        return float("inf")

    def refresh(self, older_than_s: float = 0.0) -> bool:
        """List the root anew, unless somebody did or does; return whether it was done here.

        Raises RemoteError; then the list stays as it was.
        """
        with locked(self.copies.folder / "index.lock", wait=older_than_s == 0) as is_free:
            if not is_free or self.age_s() < older_than_s:
                return False
            started_s = time.monotonic()
            found, problems = usable(self._source.entries(), self.copies.ignores_case())
            for problem in problems[:100]:
                if self._is_first_report(problem):
                    logger.warning("%s", problem)
            write_json(self.copies.folder / "index.json", list(found.values()))
        models = sum(map(is_model, found))
        took_s = time.monotonic() - started_s
        logger.debug("%s has %s models (%.2f s)", self.url.shown, f"{models:,}", took_s)
        return True

    def find(self, name: str) -> bool:
        """Whether the root has a file; a name that it lacked may have come just now."""
        if name in self.index():
            return True
        if time.monotonic() >= self._ask_again_s:
            try:
                self.refresh(SEEN_AGAIN_S)
            except RemoteError:
                self._ask_again_s = time.monotonic() + AWAY_S
        return name in self.index()

    def is_first_report(self, fact: str) -> bool:
        """Whether no other process has told a fact since the root was last listed."""
        return self._is_first_report(f"{fact} ({self._index_stat[0]})")

    # Copies.

    def bring(self, name: str) -> "Future[None] | None":
        """Begin to fetch a model with the files beside it, or join those who wait for it.

        None if it is here already. The future raises RemoteError.
        """
        self._hold(name)
        if not self._stale(name):
            return None
        with self._lock:
            future = self._pending.get(name)
            if future is None or future.done():
                self._threads = self._threads or ThreadPoolExecutor(THREADS, "remote")
                future = self._pending[name] = self._threads.submit(self.fetch, name)
                future.add_done_callback(lambda _: self._pending.pop(name, None))
            return future

    def pending(self) -> list[str]:
        """What is being fetched by this process, or waits for that."""
        return list(self._pending)

    def _stale(self, name: str) -> list[str]:
        """The files of a model whose newest version is not here, the model last."""
        index = self.index()
        names = [each for each in (*beside(name), name) if each in index]
        return [each for each in names if self.copies.version(each) != index[each].version]

    def fetch(self, name: str) -> None:
        """Fetch a model in this thread. An older copy will do where no newer one comes."""
        index = self.index()
        for each in beside(name):
            if each not in index and self.copies.version(each) is not None:
                self.copies.drop(each)
        try:
            for each in self._stale(name):
                self._fetcher.fetch(index[each])
        except RemoteError as error:
            if self.copies.version(name) is None:
                raise
            self._tell(f"{name} can't be fetched, the older copy serves: {error.message}")
        self._hold(name)

    def _tell(self, problem: str) -> None:
        if self.is_first_report(problem):
            logger.warning("%s", problem)

    def _hold(self, name: str) -> None:
        """Keep a copy from being evicted until it is loaded, or for a while."""
        with self._lock:
            if name not in self._held:
                self._held[name] = (self.copies.hold(name), time.monotonic())

    def keep(self, loaded: Iterable[str], for_s: float) -> None:
        """Hold the copies of loaded models, and let those go that were not loaded for so long."""
        names = set(loaded)
        for name in names:
            self._hold(name)
        with self._lock:
            now_s = time.monotonic()
            for name, (descriptor, since_s) in list(self._held.items()):
                if name in names:
                    self._held[name] = (descriptor, now_s)
                elif now_s - since_s > for_s and name not in self._pending:
                    os.close(self._held.pop(name)[0])

    def update_copies(self) -> None:
        """Fetch newer versions of what is here, and remove what the root has no more."""
        index = self.index()
        for name in self.copies.names():
            if name not in index:
                self.copies.drop(name)
                logger.info("%s is gone from the root", name)
        for name in self.copies.names():
            if is_model(name) and self._stale(name):
                with suppress(RemoteError):  # it has been told
                    self.fetch(name)

    def close(self) -> None:
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

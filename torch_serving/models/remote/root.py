"""A remote model root: its list, and copies of what was asked for.

No request's thread waits for a file: files come in threads of their own.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch_serving.errors import Overloaded
from torch_serving.models.file_names import MANIFEST
from torch_serving.models.remote.copies import Copies
from torch_serving.models.remote.disk import disk_errors
from torch_serving.models.remote.fetch import Fetcher
from torch_serving.models.remote.holds import Holds
from torch_serving.models.remote.hub import HubSource
from torch_serving.models.remote.index import RemoteIndex
from torch_serving.models.remote.names import beside, is_model
from torch_serving.models.remote.objects import ObjectSource
from torch_serving.models.remote.source import RemoteError, Source, Unreachable
from torch_serving.models.remote.urls import STORES, RemoteUrl, default_cache
from torch_serving.models.remote.web import WebSource

logger = logging.getLogger(__name__)

THREADS = 4  # of each process that fetch; others wait for them
MAX_PENDING = 64  # models that are fetched, or wait for it


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
        source = source_of(url, options.timeout_s)
        self.index = RemoteIndex(source, self.copies, url.shown, is_first_report)
        self._fetcher = Fetcher(source, self.copies)
        self._lock = threading.Lock()  # guards what follows
        self._threads: ThreadPoolExecutor | None = None
        self._pending: dict[str, Future[None]] = {}

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
        entries = self.index.entries()
        order = [*beside(name), name]
        order.insert(0 if self.copies.version(MANIFEST) is None else len(order), MANIFEST)
        names = [each for each in order if each in entries]
        return [each for each in names if self.copies.version(each) != entries[each].version]

    def fetch(self, name: str) -> None:
        """Fetch a model in this thread. An older copy will do where no newer one comes."""
        try:
            self._renew(name)
        except RemoteError as error:
            if not self.is_here(name):
                raise
            self._warn_older(name, error)
        self._holds.hold(name)

    def is_here(self, name: str) -> bool:
        """Whether a version of a model can be loaded; none can without the manifest of the root."""
        needed = (name, MANIFEST) if MANIFEST in self.index.entries() else (name,)
        return all(self.copies.version(each) is not None for each in needed)

    def _renew(self, name: str) -> None:
        with disk_errors():
            self.copies.make_folders()
        entries = self.index.entries()
        for each in (*beside(name), MANIFEST):
            if each not in entries and self.copies.version(each) is not None:
                self.copies.drop(each)
        for each in self._stale(name):
            self._fetcher.fetch(entries[each])

    def note_loaded(self, names: Iterable[str]) -> None:
        """Hold these copies no longer than their models are loaded."""
        self._holds.note_loaded(names)

    def keep(self, loaded: Iterable[str], for_s: float) -> None:
        """Hold the copies of loaded models, as `Holds.keep` does."""
        self._holds.keep(loaded, for_s, self._pending.__contains__)

    def update_copies(self) -> None:
        """Fetch newer versions of what is here, and remove what the root has no more."""
        entries = self.index.entries()
        for name in self.copies.names():
            if name not in entries:
                self.copies.drop(name)
                logger.info("%s is gone from the root", name)
        for name in self.copies.names():
            if is_model(name) and self._stale(name) and not self._is_renewed(name):
                return  # others would wait in vain as well

    def _is_renewed(self, name: str) -> bool:
        try:
            self._renew(name)
        except RemoteError as error:
            self._warn_older(name, error)
            return not isinstance(error, Unreachable)
        return True

    def _warn_older(self, name: str, error: RemoteError) -> None:
        problem = f"{name} can't be fetched, the older copy serves: {error.message}"
        if self.index.is_first_report(problem):
            logger.warning("%s", problem)

    def close(self) -> None:
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)

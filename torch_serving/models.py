"""Identifier -> file below the model root -> loaded model.

Loaded models are kept in the cache. A model that is not there is loaded once, however many requests
wait for it; different models load side by side. A failed load is told to all that waited for it and
then forgotten. A file that changed is another model.
"""

import asyncio
import functools
import os
import posixpath
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch

from torch_serving._cache import Cache
from torch_serving.errors import InvalidServable, ShuttingDown
from torch_serving.servable import Identity, Servable, load

Load = Callable[[Path, torch.device, Identity], Servable]

MAX_IDENTIFIER = 1024  # characters; a path can't be longer than 4096 bytes
LOADERS = 2  # loading is reading a disk and copying: more at once only thrash


class Place(NamedTuple):
    """A model's normalised name, its path (links not followed yet), and its key in the cache."""

    name: str
    path: str
    key: str


class Models:
    """The models below one folder. Safe to use from any thread."""

    def __init__(self, root: Path, cache: Cache[Servable], load: Load = load) -> None:
        self.cache = cache
        self._root = os.path.realpath(root)
        self._load = load
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="loader")
        self._lock = threading.Lock()  # guards _loading
        self._loading: dict[str, Future[Servable]] = {}

    def get(
        self, identifier: str, device: torch.device, invalidation_probability: float = 0.0
    ) -> Servable | None:
        """Return a loaded model, or None if it has to be loaded first.

        With the probability that is given, it is dropped before. Raises InvalidServable if there is
        no file with this name.
        """
        place = place_of(self._root, identifier, device)
        identity = identity_of(place)
        if invalidation_probability and random.random() < invalidation_probability:
            self.cache.remove(place.key)
        servable = self.cache.get(place.key)
        return servable if servable is not None and servable.identity == identity else None

    def load(self, identifier: str, device: torch.device) -> Future[Servable]:
        """Start to load a model, or join those who wait for it.

        Raises InvalidServable, now or from the future, if it can't be loaded.
        """
        place = place_of(self._root, identifier, device)
        with self._lock:
            future = self._loading.get(place.key)
            if future is None:
                future = self._loaders.submit(self._load_into_cache, place, device)
                self._loading[place.key] = future
        return future

    def count(self) -> int:
        """How many model files lie below the root."""
        files = (name for _, _, names in os.walk(self._root) for name in names)
        return sum(name.endswith(".pt") for name in files)

    def close(self) -> None:
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _load_into_cache(self, place: Place, device: torch.device) -> Servable:
        try:
            identity = identity_of(place)
            servable = self.cache.get(place.key)  # somebody else's load may just have ended
            if servable is None or servable.identity != identity:
                servable = self._load_file(place, device, identity)
                self.cache.put(place.key, servable)  # what it evicts is freed here, off any request
            return servable
        finally:
            with self._lock:
                del self._loading[place.key]

    def _load_file(self, place: Place, device: torch.device, identity: Identity) -> Servable:
        path = Path(os.path.realpath(place.path))
        if not path.is_relative_to(self._root) or not path.is_file():
            raise no_such_model(place.name)
        try:
            return self._load(path, device, identity)
        except InvalidServable as error:
            raise InvalidServable(f"`{place.name}`: {error.detail}") from error


async def loaded(loading: Future[Servable]) -> Servable:
    """Wait for a load on an event loop, as others may for the same one."""
    try:
        return await asyncio.shield(asyncio.wrap_future(loading))
    except asyncio.CancelledError:
        raise ShuttingDown("the server stops before the model is loaded") from None


@functools.lru_cache(maxsize=1024)
def place_of(root: str, identifier: str, device: torch.device) -> Place:
    """Where a model is looked for. Refuses an identifier that points outside the root."""
    name = posixpath.normpath(identifier)
    if (
        not 0 < len(identifier) <= MAX_IDENTIFIER
        or name.startswith(("/", "../"))
        or name in (".", "..")
    ):
        raise no_such_model(identifier)
    return Place(name, f"{root}/{name}", f"{name}\0{device}")


def identity_of(place: Place) -> Identity:
    """What tells a file from the one that replaces it. Raises InvalidServable if there is none."""
    try:
        status = os.stat(place.path)
    except (OSError, ValueError):
        raise no_such_model(place.name) from None
    return (status.st_mtime_ns, status.st_ino, status.st_size, status.st_dev)


def no_such_model(name: str) -> InvalidServable:
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return InvalidServable(f"`{shown}`: there is no such file below the model root")

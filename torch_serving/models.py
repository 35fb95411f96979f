"""Identifier -> file below the model root -> loaded model.

Loaded models are kept in the cache. A model that is not there is loaded once, however many requests
wait for it; different models load side by side. A failed load is told to all that waited for it and
then forgotten. A file that changed is another model.
"""

import asyncio
import fnmatch
import functools
import logging
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
from torch_serving.archive import listed_digest
from torch_serving.board import Board, board_name
from torch_serving.devices import Devices, device_of
from torch_serving.errors import InvalidDevice, InvalidServable, ShuttingDown
from torch_serving.loading import load
from torch_serving.servable import Identity, Servable
from torch_serving.sidecar import Settings, read_settings

logger = logging.getLogger(__name__)

Load = Callable[[Path, torch.device, Identity, Settings, str | None], Servable]

MAX_IDENTIFIER = 1024  # characters; a path can't be longer than 4096 bytes
MAX_OWN_DEVICES = 1024
LOADERS = 2  # loading is reading a disk and copying: more at once only thrash


class Place(NamedTuple):
    """A model's normalised name, its path (links not followed yet), its key in the cache, and its
    name for the board."""

    name: str
    path: str
    key: str
    board_name: bytes


class Models:
    """The models below one folder. Safe to use from any thread.

    `defaults` gives the settings of the model of a name, where the file beside it says nothing.
    """

    def __init__(
        self,
        root: Path,
        cache: Cache[Servable],
        load: Load = load,
        defaults: Callable[[str], Settings] = lambda _: Settings(),
        board: Board | None = None,
    ) -> None:
        self.cache = cache
        self._root = os.path.realpath(root)
        self._load = load
        self._defaults = defaults
        self._board = board or Board(1, 0)
        self._own_device = functools.lru_cache(MAX_OWN_DEVICES)(self._read_own_device)
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
        self._board.check(place.name)
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
        self._board.check(place.name)
        with self._lock:
            future = self._loading.get(place.key)
            if future is None:
                future = self._loaders.submit(self._load_into_cache, place, device)
                self._loading[place.key] = future
        return future

    def device_for(
        self, identifier: str, devices: Devices, asked: torch.device | None = None
    ) -> torch.device:
        """Where a request runs: where it asks to, else where the model's settings say, else on one
        of `devices`."""
        return asked or self._own_device(identifier) or devices.choose()

    def free_memory(self, device: torch.device) -> bool:
        """Drop what is not in use on a device; return whether there was anything."""
        dropped = len(self.cache.shrink(group_of(device)))
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return dropped > 0

    def preload(self, identifier: str, device: torch.device) -> Servable:
        """Load a model in this thread."""
        return self._load_into_cache(place_of(self._root, identifier, device), device)

    def names(self, pattern: str = "*") -> list[str]:
        """The names of the model files below the root that match a pattern, in order."""
        paths = sorted(Path(self._root).rglob("*.pt"))
        names = [path.relative_to(self._root).as_posix() for path in paths]
        return [name for name in names if fnmatch.fnmatchcase(name, pattern)]

    def close(self) -> None:
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _load_into_cache(self, place: Place, device: torch.device) -> Servable:
        try:
            identity = identity_of(place)
            servable = self.cache.get(place.key)  # somebody else's load may just have ended
            if servable is None or servable.identity != identity:
                servable = self._load_or_keep(place, device, identity, servable)
                # what it evicts is freed here, off any request
                self.cache.put(place.key, servable, servable.bytes(), group_of(device))
                self._own_device.cache_clear()  # its settings may have changed, too
            return servable
        finally:
            with self._lock:
                self._loading.pop(place.key, None)

    def _load_or_keep(
        self, place: Place, device: torch.device, identity: Identity, old: Servable | None
    ) -> Servable:
        """Load a file. If a bad one took the place of a good one, the good one goes on serving."""
        try:
            return self._load_file(place, device, identity)
        except InvalidServable as error:
            if old is None:
                raise
            logger.warning("the new file is not served, the old one is: %s", error.detail)
            old.identity = identity  # until the file changes again
            return old

    def _load_file(self, place: Place, device: torch.device, identity: Identity) -> Servable:
        path = self._real_path(place)
        self._board.mark(place.board_name)
        try:
            settings = read_settings(path, self._defaults(place.name))
            digest = listed_digest(Path(self._root), place.name)
            servable = self._load(path, device, identity, settings, digest)
        except InvalidServable as error:
            raise InvalidServable(f"`{place.name}`: {error.detail}") from error
        finally:
            self._board.mark(b"")
        servable.board_name = place.board_name
        return servable

    def _real_path(self, place: Place) -> Path:
        try:
            path = Path(os.path.realpath(place.path))
        except ValueError:  # half of a surrogate pair is in no file's name
            raise no_such_model(place.name) from None
        if not path.is_relative_to(self._root) or not os.path.isfile(path):  # of any length
            raise no_such_model(place.name)
        return path

    def _read_own_device(self, identifier: str) -> torch.device | None:
        name = name_of(identifier)
        place = Place(name, f"{self._root}/{name}", "", b"")
        try:
            device = read_settings(self._real_path(place), self._defaults(name)).device
            return device_of(device) if device is not None else None
        except (InvalidServable, InvalidDevice) as error:
            raise InvalidServable(f"`{name}`: {error.detail}") from error


async def loaded(loading: Future[Servable]) -> Servable:
    """Wait for a load on an event loop, as others may for the same one."""
    try:
        return await asyncio.shield(asyncio.wrap_future(loading))
    except asyncio.CancelledError:
        raise ShuttingDown("the server stops before the model is loaded") from None


@functools.lru_cache(maxsize=1024)
def place_of(root: str, identifier: str, device: torch.device) -> Place:
    """Where a model is looked for."""
    name = name_of(identifier)
    return Place(name, f"{root}/{name}", f"{name}\0{device}", board_name(name))


def name_of(identifier: str) -> str:
    """Normalise an identifier. Refuses one that points outside the root."""
    name = posixpath.normpath(identifier)
    if (
        not 0 < len(identifier) <= MAX_IDENTIFIER
        or name.startswith(("/", "../"))
        or name in (".", "..")
        or "\0" in identifier
    ):
        raise no_such_model(identifier)
    return name


def group_of(device: torch.device) -> int:
    """The number by which the cache knows a device."""
    return -1 if device.type == "cpu" else device.index or 0


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

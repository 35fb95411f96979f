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
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from torch_serving.config import MAX_IDENTIFIER_BYTES, ModelConfig
from torch_serving.engine.devices import DevicePool, asked_device
from torch_serving.errors import (
    InvalidDevice,
    InvalidServable,
    Overloaded,
    ServingError,
    ShuttingDown,
)
from torch_serving.models._cache import Cache
from torch_serving.models.backends.torchscript.archive import version
from torch_serving.models.files import FileStat, OpenFile, open_file
from torch_serving.models.identifiers import (
    ModelPath,
    cache_key,
    normalize,
    real_path,
    resolve,
    stat_file,
    utf8,
)
from torch_serving.models.integrity import expected_digest
from torch_serving.models.interfaces import ModelEvents, NoEvents
from torch_serving.models.loader import load, load_open
from torch_serving.models.servable import Servable
from torch_serving.models.settings import read_model_config, stamps_beside

logger = logging.getLogger(__name__)

Survives = Callable[[dict[str, Any], int], bool]  # a question to the parent, a descriptor
Load = Callable[
    [Path, torch.device, FileStat, ModelConfig, str | None, Callable[[OpenFile], bool]], Servable
]

MAX_OWN_DEVICES = 1024
MAX_VERSIONS = 4096  # that are remembered
CPU = torch.device("cpu")
LOADERS = 2  # loading is reading a disk and copying: more at once only thrash


class Models:
    """The models below one folder. Safe to use from any thread.

    `defaults` gives the settings of the model of a name, where the file beside it says nothing.
    """

    def __init__(
        self,
        root: Path,
        cache: Cache[Servable],
        load: Load = load,
        defaults: Callable[[str], ModelConfig] = lambda _: ModelConfig(),
        events: ModelEvents | None = None,
    ) -> None:
        self.cache = cache
        self._root = os.path.realpath(root)
        self._load = load
        self._defaults = defaults
        self._events = events or NoEvents()
        self._statistics = self._events.statistics
        self._own_device = functools.lru_cache(MAX_OWN_DEVICES)(self._read_own_device)
        self._version_of = functools.lru_cache(MAX_VERSIONS)(
            lambda path, identity: version(Path(path))
        )
        self._is_watched = False
        self._survives: Survives = lambda question, descriptor: True
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
        model = resolve(self._root, identifier, device)
        self._events.check_quarantine(model.identifier)
        identity = None if self._is_watched else stat_file(model)
        if invalidation_probability and random.random() < invalidation_probability:
            self.cache.remove(model.key)
        servable = self.cache.get(model.key)
        if servable is not None and identity in (None, servable.identity):
            return servable
        return None

    def load(self, identifier: str, device: torch.device) -> Future[Servable]:
        """Start to load a model, or join those who wait for it.

        Raises InvalidServable, now or from the future, if it can't be loaded.
        """
        model = resolve(self._root, identifier, device)
        self._events.check_quarantine(model.identifier)
        with self._lock:
            future = self._loading.get(model.key)
            if future is None:
                future = self._loaders.submit(self._load_into_cache, model, device)
                self._loading[model.key] = future
        return future

    def device_for(
        self, identifier: str, devices: DevicePool, asked: torch.device | None = None
    ) -> torch.device:
        """Where a request runs: where it asks to, else where the model's settings say, else on one
        of `devices`."""
        try:
            return asked or self._own_device(identifier) or devices.choose()
        except Overloaded:  # no descriptor is left to read the settings; a loaded model needs none
            return devices.choose()

    def unload(self, identifier: str) -> bool:
        """Drop a model from all devices; return whether it was loaded. Requests that run go on.

        Raises InvalidServable if there is no such model.
        """
        name = normalize(identifier)
        held = [each for each in self.cache.values() if each.identifier == name]
        for servable in held:
            self.cache.remove(cache_key(name, servable.device))
        if not held:
            self.check_exists(identifier)
        self.publish()
        return bool(held)

    def watch(self) -> None:
        """From now on, `get` gives what is loaded without a look at the file; `refresh` looks."""
        self._is_watched = True

    def refresh(self) -> None:
        """Load what has changed on the disk, and unload what is gone; others serve meanwhile."""
        for servable in self.cache.values():
            model = resolve(self._root, servable.identifier, servable.device)
            try:
                path = real_path(self._root, model)
                stamps = stamps_beside(path)
                if (stat_file(model), stamps) != (servable.identity, servable.stamps):
                    servable.stamps = stamps  # if it is bad, it is not tried again and again
                    logger.info("%s has changed: loading it", model.identifier)
                    self._load_into_cache(model, servable.device, anew=True)
            except InvalidServable:
                self.cache.remove(model.key)
                self.publish()
                logger.info("%s is gone", model.identifier)

    def enter_worker(self, survives: Survives | None) -> None:
        """Go on in a process that was forked: count and publish what was loaded before, and ask
        `survives`, if there is one, of each file that is loaded from now on."""
        self._survives = survives or self._survives
        for servable in self.cache.values():
            servable.count_in(self._statistics)
        self.publish()

    def publish(self) -> None:
        """Tell all workers what is loaded here."""
        held = self.cache.values()
        self._statistics.set_cache(len(held), sum(each.bytes() for each in held))
        self._events.publish([each.entry() for each in held])

    def file_facts(self, name: str) -> dict[str, Any]:
        """The size of a model file, and its version by what it holds; None where it has none."""
        model = resolve(self._root, name, CPU)
        try:
            identity = stat_file(model)
            return {"bytes": identity[2], "version": self._version_of(model.path, identity)}
        except ServingError:
            return {"bytes": None, "version": None}

    def check_exists(self, identifier: str) -> str:
        """Return the normalised name of a model file. Raises InvalidServable if there is none."""
        model = resolve(self._root, identifier, CPU)
        real_path(self._root, model)
        return model.identifier

    def free_memory(self, device: torch.device) -> bool:
        """Drop what is not in use on a device; return whether there was anything."""
        dropped = len(self.cache.shrink(group_of(device)))
        self.publish()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return dropped > 0

    def preload(self, identifier: str, device: torch.device) -> Servable:
        """Load a model in this thread."""
        return self._load_into_cache(resolve(self._root, identifier, device), device)

    def names(self, pattern: str = "*") -> list[str]:
        """The names of the model files below the root that match a pattern, in order."""
        paths = sorted(Path(self._root).rglob("*.pt"))
        names = [path.relative_to(self._root).as_posix() for path in paths]
        names = [name for name in names if len(utf8(name)) <= MAX_IDENTIFIER_BYTES]
        return [name for name in names if fnmatch.fnmatchcase(name, pattern)]

    def close(self) -> None:
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _load_into_cache(
        self, model: ModelPath, device: torch.device, anew: bool = False
    ) -> Servable:
        """Load a file, unless that has been done or, if `anew`, even so.

        If a bad one took the place of a good one, the good one goes on serving.
        """
        try:
            identity = stat_file(model)
            held = self.cache.get(model.key)  # somebody else's load may just have ended
            if held is not None and held.identity == identity and not anew:
                return held
            try:
                servable = self._load_file(model, device, identity)
            except BaseException as error:
                self._statistics.count_failed_load()
                if held is None or not isinstance(error, InvalidServable):
                    raise
                self._keep(held, identity, error.detail)
                return held
            self._put(model.key, servable)
            return servable
        finally:
            with self._lock:
                self._loading.pop(model.key, None)

    def _put(self, key: str, servable: Servable) -> None:
        # what it evicts is freed here, off any request
        evicted = self.cache.put(key, servable, servable.bytes(), group_of(servable.device))
        self._own_device.cache_clear()  # its settings may have changed, too
        self._statistics.count_load(len(evicted))
        servable.method("forward").counters.count_load()
        self.publish()

    def _keep(self, servable: Servable, identity: FileStat, problem: str) -> None:
        logger.warning("the new file is not served, the old one is: %s", problem)
        servable.identity = identity  # until the file changes again
        servable.warning = f"a newer file is not served: {problem}"
        self.publish()

    def _load_file(self, model: ModelPath, device: torch.device, identity: FileStat) -> Servable:
        path = real_path(self._root, model)
        self._events.set_running(model.identifier)
        try:
            settings = read_model_config(path, self._defaults(model.identifier))
            digest = expected_digest(Path(self._root), model.identifier)
            question: dict[str, Any] = {"name": model.identifier, "device": str(device)}
            stamps = stamps_beside(path)
            question["key"] = [*identity, *stamps]
            servable = self._load(
                path,
                device,
                identity,
                settings,
                digest,
                lambda file: self._survives(question, file.descriptor),
            )
        except InvalidServable as error:
            raise InvalidServable(f"`{model.identifier}`: {error.detail}") from error
        finally:
            self._events.set_running("")
        servable.label.identifier = model.identifier
        servable.label.board_name = utf8(model.identifier)
        servable.stamps = stamps
        servable.count_in(self._statistics)
        return servable

    def try_load(self, question: dict[str, Any], descriptor: int) -> None:
        """Load what is open, as a question that `survives` was asked has it."""
        device = torch.device(question["device"])
        path = real_path(self._root, resolve(self._root, question["name"], device))
        settings = read_model_config(path, self._defaults(question["name"]))
        load_open(open_file(descriptor, path), path.name, device, None, settings)

    def _read_own_device(self, identifier: str) -> torch.device | None:
        model = resolve(self._root, identifier, CPU)
        try:
            path = real_path(self._root, model)
            return asked_device(read_model_config(path, self._defaults(model.identifier)).device)
        except (InvalidServable, InvalidDevice) as error:
            raise InvalidServable(f"`{model.identifier}`: {error.detail}") from error


async def loaded(loading: Future[Servable]) -> Servable:
    """Wait for a load on an event loop, as others may for the same one."""
    try:
        return await asyncio.shield(asyncio.wrap_future(loading))
    except asyncio.CancelledError:
        raise ShuttingDown("the server stops before the model is loaded") from None


def group_of(device: torch.device) -> int:
    """The number by which the cache knows a device."""
    return -1 if device.type == "cpu" else device.index or 0

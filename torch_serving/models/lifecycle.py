"""Loading models into the cache, and dropping them from it.

A model that is not in the cache is loaded once, however many requests wait for it; different models
load side by side. A failed load is an error for all that waited for it, and is then forgotten. A
file that changed is another model.
"""

import functools
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path

import torch

from torch_serving.engine.device_errors import device_error
from torch_serving.engine.events import DEVICE_ERROR
from torch_serving.engine.memory import empty_cache
from torch_serving.errors import DeviceFailed, InvalidServable, Overloaded, ServingError
from torch_serving.model_config import ModelConfig
from torch_serving.models._cache import Cache
from torch_serving.models.files import FileStat, OpenFile, Sources
from torch_serving.models.identifiers import (
    ModelPath,
    cache_group,
    cache_key,
    normalize,
    resolve,
    stat_file,
    with_name,
)
from torch_serving.models.interfaces import ModelEvents, NoEvents
from torch_serving.models.load_log import LoadLog
from torch_serving.models.load_queue import REPLACING_S, LoadQueue
from torch_serving.models.loader import load
from torch_serving.models.repository import ModelRepository
from torch_serving.models.room import Room
from torch_serving.models.servable import ModelSource, Servable
from torch_serving.models.trials import TryLoad, load_request
from torch_serving.models.warmup import RunOn, run_here
from torch_serving.models.written_files import FileChanging, load_when_whole, look_again_s
from torch_serving.telemetry._counters import Statistics

Load = Callable[
    [Path, torch.device, ModelConfig, ModelSource, Statistics, Callable[[OpenFile], bool], RunOn],
    Servable,
]


class ModelLifecycle:
    """The loaded models of one process. Safe to use from any thread."""

    def __init__(
        self,
        repository: ModelRepository,
        cache: Cache[Servable],
        events: ModelEvents | None = None,
        load: Load = load,
        use_device: Callable[[torch.device], None] = lambda device: None,
    ) -> None:
        """`use_device` is called before a model is put on a device."""
        self.repository = repository
        self.cache = cache
        self._root = repository.root
        self._stat = repository.stat
        self._load = load
        self._use_device = use_device
        events = events or NoEvents()
        self._statistics = events.statistics
        self._set_running = events.set_running
        self._check_quarantine = events.check_quarantine
        self._publish = events.publish
        self._log = LoadLog(events.is_first_report)
        self._room = Room(cache, self._log, self.publish)
        self._on_fatal = events.request_restart
        self._is_watched = False
        self._try_load: TryLoad = lambda request, descriptor: True
        self._run_on: RunOn = run_here
        self._queue = LoadQueue(events.request_restart)
        repository.loaded = cache.values

    def attach(
        self, try_load: TryLoad | None, run_on: RunOn = run_here, limit_s: float | None = None
    ) -> None:
        """Call once in each worker after the fork: count and publish the preloaded models there.

        `try_load` loads a file in a process of its own first, and returns whether that process
        lived. `run_on` makes the runs of warm-up requests. A load that takes longer than twice
        `limit_s` costs the process.
        """
        self._try_load = try_load or self._try_load
        self._run_on = run_on
        self._queue.limit_s = limit_s
        for servable in self.cache.values():
            servable.count_in(self._statistics)
        self.publish()

    def get(
        self, identifier: str, device: torch.device, reload_probability: float = 0.0
    ) -> Servable | None:
        """Return a loaded model, or None if it has to be loaded first.

        With `reload_probability`, it is dropped from the cache first. Raises InvalidServable if
        the file of a loaded model is gone, and Quarantined.
        """
        model = resolve(self._root, identifier, device)
        self._check_quarantine(model.shared)
        if reload_probability and random.random() < reload_probability:
            self.cache.remove(model.key)
        servable = self.cache.get(model.key)
        if servable is None or self._is_watched or self._stat(model) == servable.file:
            return servable
        is_kept = self._queue.is_loading(model.key, REPLACING_S) or self._is_kept(servable, model)
        return servable if is_kept else None

    def _is_kept(self, servable: Servable, model: ModelPath) -> bool:
        """Whether a newer file than that of a servable is not to be loaded now."""
        if time.monotonic() < servable.look_again_s:
            return True
        return servable.refused is not None and servable.is_current(self.repository.sources(model))

    def load(self, identifier: str, device: torch.device) -> Future[Servable]:
        """Start to load a model, or join those who wait for it.

        Raises InvalidServable, now or from the future, if it can't be loaded, and Overloaded.
        """
        model = resolve(self._root, identifier, device)
        self._check_quarantine(model.shared)
        return self._start(model, device, anew=False)

    def _start(self, model: ModelPath, device: torch.device, anew: bool) -> Future[Servable]:
        load = functools.partial(self._load_into_cache, model, device, anew)
        in_room = functools.partial(self._room.for_load, load, model, device)
        return self._queue.submit(in_room, model.key)

    def loaded(self, identifier: str, device: torch.device) -> Servable | None:
        """Return a model that is in memory, even if its file has changed."""
        return self.cache.get(resolve(self._root, identifier, device).key)

    def preload(self, identifier: str, device: torch.device) -> Servable:
        """Load a model in this thread."""
        return self._load_into_cache(resolve(self._root, identifier, device), device)

    def unload(self, identifier: str) -> bool:
        """Drop a model from all devices; return whether it was loaded.

        Running requests keep it until they end. Raises InvalidServable if there is no such model.
        """
        identifier = normalize(identifier)
        loaded = (each for each in self.cache.values() if each.identifier == identifier)
        devices = self._log.dropped(loaded, "as requested")
        for device in devices:
            self.cache.remove(cache_key(identifier, device))
        if not devices:
            self.repository.check_exists(identifier)
        self.publish()
        self._give_back(devices)
        return bool(devices)

    def watch(self) -> None:
        """From now on, `get` returns a loaded model without a look at its file; `refresh` looks."""
        self._is_watched = True

    def refresh(self) -> None:
        """Load what changed on the disk, and unload what is gone. Old models serve meanwhile."""
        loads, devices = [], []
        for servable in self.cache.values():
            model = resolve(self._root, servable.identifier, servable.device)
            try:
                sources = self.repository.sources(model)
                if servable.is_newest(sources) or self._queue.is_loading(model.key):
                    continue
                self._log.changed(servable, sources)
                loads.append(self._start(model, servable.device, anew=True))
            except InvalidServable:
                self.cache.remove(model.key)
                self.publish()
                self._log.gone(servable)
            devices.append(servable.device)
        for ended in wait(loads, REPLACING_S).done:
            with suppress(InvalidServable):
                ended.result()
        self._give_back(devices)

    def publish(self) -> None:
        """Publish what is loaded here to all workers."""
        loaded = self.cache.values()
        self._statistics.set_cache(len(loaded), sum(each.bytes() for each in loaded))
        self._publish([each.entry() for each in loaded])
        self.repository.note_loaded([each.identifier for each in loaded])
        self.repository.placement.forget()  # they are those of the loaded models

    def free_memory(self, device: torch.device, missing_bytes: int | None = None) -> bool:
        """Drop the models on a device that are not in use; return whether there were any.

        With `missing_bytes`, drop only as many as hold so much, and none if all hold less.
        """
        return self._room.for_request(device, missing_bytes)

    def _give_back(self, devices: Iterable[torch.device]) -> None:
        """Give devices the memory of models that were dropped, in a loader thread's time."""
        if any(device.type == "cuda" for device in devices):
            with suppress(RuntimeError, Overloaded):  # the threads have ended
                self._queue.submit(empty_cache)

    def close(self) -> None:
        self._queue.close()

    def _load_into_cache(
        self, model: ModelPath, device: torch.device, anew: bool = False
    ) -> Servable:
        """Load a file; with `anew`, also if the cache has it.

        If a bad file took the place of a good one, the old model goes on serving.
        """
        started_s = time.monotonic()
        sources = self.repository.sources(model)
        loaded = self.cache.get(model.key)  # another load of it may just have ended
        if loaded is not None and not anew and loaded.is_current(sources):
            return loaded
        try:
            servable = self._load_whole(model, device, loaded)
        except FileChanging as error:
            if loaded is None:
                raise FileChanging(f"`{model.identifier}`: {error.detail}") from error
            loaded.look_again_s = look_again_s(started_s)
            return loaded
        except BaseException as error:
            self._statistics.count_failed_load()
            if loaded is None or not isinstance(error, InvalidServable):
                raise
            self._reject(loaded, sources, error.detail)
            return loaded
        del loaded  # its memory goes back once it is replaced
        self._put(model.key, servable, time.monotonic() - started_s)
        return servable

    def _put(self, key: str, servable: Servable, took_s: float) -> None:
        # evicted models are freed here, in no request's time
        group = cache_group(servable.device)
        dropped = self.cache.put(key, servable, servable.bytes(), group)
        evicted = self._log.loaded(servable, took_s, dropped)
        del dropped
        self._give_back(evicted)
        self._statistics.count_load(len(evicted))
        servable.main_method().counters.count_load()
        self.publish()

    def _reject(self, servable: Servable, sources: Sources, problem: str) -> None:
        servable.warning = self._log.refused(servable, problem, sources)
        servable.refused = sources  # not tried again
        self.publish()

    def _load_whole(self, model: ModelPath, device: torch.device, old: Servable | None) -> Servable:
        load = functools.partial(self._load_file, model, device)
        served, as_copy = (old.newest_tried(), old.look_again_s > 0) if old else (None, False)
        return load_when_whole(load, functools.partial(stat_file, model), served, as_copy)

    def _load_file(
        self, model: ModelPath, device: torch.device, file: FileStat, as_copy: bool
    ) -> Servable:
        path = self.repository.real_path(model)
        self._set_running(model.identifier)
        try:
            source = self.repository.source(model, file)._replace(as_copy=as_copy)
            config = self.repository.read_config(model)
            self.repository.placement.check(model, config)
            self.repository.import_modules(model)
            request = load_request(source, device)
            self._use_device(device)
            with self._queue.turn(model.identifier):
                return self._load(
                    path,
                    device,
                    config,
                    source,
                    self._statistics,
                    lambda opened: self._try_load(request, opened.descriptor),
                    self._run_on,
                )
        except InvalidServable as error:
            raise with_name(model.identifier, error) from error
        except Exception as error:
            problem = error if isinstance(error, ServingError) else device_error(error)
            if isinstance(problem, DeviceFailed) and problem.lost:
                self._on_fatal(DEVICE_ERROR, (model.identifier,))
            if problem is None or problem is error:
                raise  # an error that is its own cause would keep all that its frames lead to
            raise problem from error
        finally:
            self._set_running("")

"""Room on devices: idle models leave a device that has too little memory for what is needed."""

from collections.abc import Callable
from typing import TypeVar

import torch

from torch_serving.engine.memory import empty_cache, free_bytes
from torch_serving.errors import OutOfMemory
from torch_serving.models._cache import Cache
from torch_serving.models.identifiers import ModelPath, cache_key, stat_file
from torch_serving.models.load_log import LoadLog
from torch_serving.models.servable import Servable

T = TypeVar("T")


class Room:
    """Drops models from a cache; `publish` is called then. Safe to use from any thread."""

    def __init__(self, cache: Cache[Servable], log: LoadLog, publish: Callable[[], object]) -> None:
        self._cache = cache
        self._log = log
        self._publish = publish

    def for_request(self, device: torch.device, missing_bytes: int | None) -> bool:
        """Drop models that no request uses; return whether there were any.

        With `missing_bytes`, drop only as many as hold so much, and none if all hold less.
        """
        used_last = next(map(key_of, self._cache.values()), "")
        return self._drop(device, used_last, missing_bytes, "a request needs memory")

    def for_load(self, load: Callable[[], T], model: ModelPath, device: torch.device) -> T:
        """Load a model; while a card is full, drop others and load again, if that can be enough.

        Weights take about as much as their file. Raises InvalidServable if that is gone.
        """
        try:
            return load()
        except OutOfMemory as error:
            if not empty_cache(device, error):
                raise  # of the CPU, or of a card that has no room for CUDA itself
            lacking = stat_file(model)[2] - free_bytes(device)
            missing = max(lacking, error.missing_bytes or 0)
            if not self._drop(device, model.key, missing, f"{model.identifier} needs memory"):
                raise
        return self.for_load(load, model, device)

    def _drop(self, device: torch.device, but: str, missing_bytes: int | None, why: str) -> bool:
        """Drop the models of a device that were not used for longest."""
        idle = [
            each for each in self._cache.values() if each.device == device and key_of(each) != but
        ]
        if missing_bytes is None:
            missing_bytes = sum(each.bytes() for each in idle)
        elif missing_bytes > sum(each.bytes() for each in idle):
            return False
        dropped = []
        while idle and missing_bytes > 0:
            dropped.append(idle.pop())
            self._cache.remove(key_of(dropped[-1]))
            missing_bytes -= dropped[-1].bytes()
        has_dropped = bool(self._log.dropped(dropped, why))
        del idle, dropped  # before the cache of the allocator is emptied
        self._publish()
        empty_cache(device)
        return has_dropped


def key_of(servable: Servable) -> str:
    return cache_key(servable.identifier, servable.device)

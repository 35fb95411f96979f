"""Which copies this process needs: no process evicts them meanwhile."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from torch_serving.models.remote.copies import Copies


class Held(NamedTuple):
    """A copy that is held: since when it is wanted, and whether it was loaded since then."""

    descriptor: int
    since_s: float
    was_loaded: bool


class Holds:
    """Holds copies from before they are loaded on. Safe to use from any thread."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._lock = threading.Lock()  # guards what follows
        self._held: dict[str, Held] = {}

    def hold(self, name: str) -> None:
        """Keep a copy from being evicted until it is loaded, or for a while."""
        with self._lock, suppress(OSError):  # of a folder that is read-only
            held = self._held.get(name)
            descriptor = held.descriptor if held else self._copies.hold(name)
            self._held[name] = Held(descriptor, time.monotonic(), False)

    def note_loaded(self, names: Iterable[str]) -> None:
        """Hold these copies no longer than their models are loaded."""
        with self._lock:
            for name in names:
                if held := self._held.get(name):
                    self._held[name] = held._replace(was_loaded=True)

    def let_go(self, name: str) -> None:
        with self._lock:
            held = self._held.pop(name, None)
        if held:
            with suppress(OSError):
                os.utime(held.descriptor)  # it was used until now
            os.close(held.descriptor)

    def keep(self, loaded: Iterable[str], for_s: float, is_fetched: Callable[[str], bool]) -> None:
        """Hold the copies of loaded models, and let those go that are unloaded.

        Copies that were not loaded for so long since they were fetched go as well.
        """
        names = set(loaded)
        for name in names - self._held.keys():
            self.hold(name)
        self.note_loaded(names)
        before_s = time.monotonic() - for_s
        with self._lock:
            unused = [
                name
                for name, held in self._held.items()
                if name not in names
                and (held.was_loaded or held.since_s < before_s)
                and not is_fetched(name)
            ]
        for name in unused:
            self.let_go(name)

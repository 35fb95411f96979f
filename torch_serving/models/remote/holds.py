"""Which copies this process needs: no process evicts them meanwhile."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from torch_serving.models.remote.copies import Copies


class Holds:
    """Holds copies from before they are loaded on. Safe to use from any thread."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._lock = threading.Lock()  # guards what follows
        self._held: dict[str, tuple[int, float]] = {}  # descriptor, and since when

    def hold(self, name: str) -> None:
        """Keep a copy from being evicted until it is loaded, or for a while."""
        with self._lock, suppress(OSError):  # of a folder that is read-only
            if name not in self._held:
                self._held[name] = (self._copies.hold(name), time.monotonic())

    def let_go(self, name: str) -> None:
        with self._lock:
            held = self._held.pop(name, None)
        if held:
            with suppress(OSError):
                os.utime(held[0])  # it was used until now
            os.close(held[0])

    def keep(self, loaded: Iterable[str], for_s: float, is_fetched: Callable[[str], bool]) -> None:
        """Hold the copies of loaded models, and let those go that were not loaded for so long."""
        names = set(loaded)
        for name in names:
            self.hold(name)
        unused = []
        with self._lock:
            now_s = time.monotonic()
            for name, (descriptor, since_s) in self._held.items():
                if name in names:
                    self._held[name] = (descriptor, now_s)
                elif now_s - since_s > for_s and not is_fetched(name):
                    unused.append(name)
        for name in unused:
            self.let_go(name)

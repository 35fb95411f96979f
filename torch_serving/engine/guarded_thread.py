"""Threads that never end in silence: whoever waits for one would wait for ever."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from torch_serving.engine.device_errors import explain
from torch_serving.engine.events import DEAD_THREAD, OnFatal

logger = logging.getLogger(__name__)


class Joinable(Protocol):
    """A thread, or an executor that has some."""

    def join(self, timeout_s: float, /) -> None: ...


def join_all(threads: Iterable[Joinable], timeout_s: float) -> None:
    """Wait for all to end, but no longer than `timeout_s` in all."""
    deadline_s = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))


def guarded_thread(
    name: str, run: Callable[[], None], on_fatal: OnFatal, on_death: Callable[[], None]
) -> threading.Thread:
    """Return a daemon thread for `run`. If that raises anything, the process is to end.

    `on_death` is called in the thread then, to fail what waits for it. `run` has to be all that the
    thread does: what comes before or after it is not guarded.
    """

    def run_guarded() -> None:
        try:
            run()
        except BaseException as error:
            logger.critical("the thread %s has died", name, exc_info=error)
            on_fatal(f"{DEAD_THREAD}: {name}: {explain(error)}")
            on_death()

    return threading.Thread(target=run_guarded, name=name, daemon=True)

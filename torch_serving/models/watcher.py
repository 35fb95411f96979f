"""Loads models that changed on the disk before the first request meets them."""

import logging
import threading

from torch_serving.models.lifecycle import ModelLifecycle

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0  # a check takes some microseconds for each model


class Watcher:
    """Looks at the files of loaded models in a thread of its own."""

    def __init__(self, models: ModelLifecycle) -> None:
        self._models = models
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._models.watch()
        self._thread.start()

    def close(self) -> None:
        """Let the thread end."""
        self._end.set()

    def _run(self) -> None:
        while not self._end.wait(INTERVAL_S):
            self._refresh()

    def _refresh(self) -> None:
        try:
            self._models.refresh()
        except BaseException:  # else nothing would look at the files from here on
            logger.exception("looking for changed models failed")

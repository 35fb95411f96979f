"""The thread of each worker that renews the list, and knows which copies are in use."""

import logging
import threading
from collections.abc import Callable, Iterable

from torch_serving.models.remote.root import RemoteRoot
from torch_serving.models.remote.source import RemoteError

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
UNLOADED_S = 60.0  # a copy that was fetched and never loaded may be evicted after this time


class RootKeeper:
    """Lists the root every `--remote-refresh` seconds; with `watch`, brings what changed."""

    def __init__(self, root: RemoteRoot, loaded: Callable[[], Iterable[str]], watch: bool) -> None:
        self._root = root
        self._loaded = loaded
        self._watch = watch
        self._is_away = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote root", daemon=True)

    def start(self) -> None:
        self._root.keep(self._loaded(), UNLOADED_S)
        self._thread.start()

    def close(self) -> None:
        """Let the thread end."""
        self._end.set()
        self._root.close()

    def _run(self) -> None:
        pause_s = INTERVAL_S
        while not self._end.wait(pause_s):
            pause_s = INTERVAL_S
            try:
                self._root.keep(self._loaded(), UNLOADED_S)
                if self._root.index.age_s() >= self._root.options.refresh_s:
                    self._refresh()
            except RemoteError as error:
                pause_s = self._root.options.refresh_s
                self._warn_away(error)
            except BaseException:  # else nothing would be renewed from here on
                logger.exception("looking after the remote root failed")

    def _refresh(self) -> None:
        done = self._root.index.refresh(self._root.options.refresh_s)
        if self._is_away:
            self._is_away = False
            logger.info("%s can be listed again", self._root.url.shown)
        if done and self._watch:
            self._root.update_copies()

    def _warn_away(self, error: RemoteError) -> None:
        if not self._is_away:
            self._is_away = True
            problem = (
                f"{self._root.url.shown} can't be listed, what is here serves: {error.message}"
            )
            if self._root.index.is_first_report(problem):
                logger.warning("%s", problem)

"""The routes of the console: its files, and what they show of the server."""

import re
from collections.abc import Iterator

from torch_serving.http.console import operations
from torch_serving.http.console.files import ConsoleFiles
from torch_serving.http.console.sampler import Sampler
from torch_serving.http.console.stats import Publisher, Stats
from torch_serving.http.interfaces import Route
from torch_serving.service.runtime import Runtime

# The page and its files, which tell nothing of the server: no name of another route has a dot.
OPEN = re.compile(r"/|/console/[\w-]+\.(css|js|svg)")


class ConsoleRoutes:
    """The routes below /console."""

    def __init__(self, runtime: Runtime) -> None:
        self.files = ConsoleFiles()
        self._publisher = Publisher(Sampler(runtime))
        self.start = self._publisher.start
        self.stop = self._publisher.stop
        self.open_paths = frozenset([operations.FILE.path])  # in the OpenAPI document

    def routes(self) -> Iterator[Route]:
        yield Route("/console/stats", Stats(self._publisher), (operations.STATS,))
        yield Route("/console/{name}", self.files, (operations.FILE,))

    @staticmethod
    def is_open(path: str) -> bool:
        """Whether a path needs no key."""
        return OPEN.fullmatch(path) is not None

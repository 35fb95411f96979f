"""What the application asks of a folder of routes."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol


class Route(NamedTuple):
    """A path, with parameters in braces, and the Falcon resource that responds there."""

    template: str
    resource: Any


class RouteGroup(Protocol):
    """The routes of one contract or page."""

    def routes(self) -> Iterable[Route]: ...

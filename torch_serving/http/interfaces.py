"""What the application asks of a folder of routes."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from torch_serving.http.openapi.operation import Operation


class Route(NamedTuple):
    """A path with parameters in braces, the Falcon resource at the path, and its operations.

    A route that ends in a path parameter may have operations at several paths.
    """

    template: str
    resource: Any
    operations: tuple[Operation, ...]  # of the OpenAPI document


class RouteGroup(Protocol):
    """The routes of one contract or page."""

    def routes(self) -> Iterable[Route]: ...

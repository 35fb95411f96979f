"""GET /openapi.json: the document, made for each request from the server's state."""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence

import falcon
import falcon.asgi

from torch_serving.http.interfaces import Route
from torch_serving.http.openapi.context import DocumentContext
from torch_serving.http.openapi.document import document
from torch_serving.http.openapi.operation import DOCS, always, get
from torch_serving.service.file_threads import in_file_thread

DOCUMENT = get("/openapi.json", "openapi", DOCS, "This document", always({"type": "object"}))


class OpenApiRoutes:
    """The route of /openapi.json."""

    def __init__(self, resource: "OpenApi") -> None:
        self._resource = resource

    def routes(self) -> Iterator[Route]:
        yield Route("/openapi.json", self._resource, (DOCUMENT,))


class OpenApi:
    """`routes` are all routes of the server. `context` reads files, so it runs in a thread.

    `find_examples` looks for requests that work, which the context then has.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        context: Callable[[], DocumentContext],
        find_examples: Callable[[], Awaitable[None]],
    ) -> None:
        self._routes = routes
        self._context = context
        self._find_examples = find_examples

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        await self._find_examples()
        resp.text = await in_file_thread(self._text)

    def _text(self) -> str:
        operations = [operation for route in self._routes for operation in route.operations]
        return json.dumps(document(operations, self._context()), ensure_ascii=False)

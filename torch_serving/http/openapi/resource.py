"""GET /openapi.json: the document, made for each request from the server's state."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator

import falcon
import falcon.asgi

from torch_serving.http.interfaces import Route
from torch_serving.http.openapi.context import DocumentContext
from torch_serving.http.openapi.document import document


class OpenApiRoutes:
    def __init__(
        self, templates: Callable[[], Iterable[str]], context: Callable[[], DocumentContext]
    ) -> None:
        self._resource = OpenApi(templates, context)

    def routes(self) -> Iterator[Route]:
        yield Route("/openapi.json", self._resource)


class OpenApi:
    """`templates` returns the registered routes. `context` reads files, so it runs in a thread."""

    def __init__(
        self, templates: Callable[[], Iterable[str]], context: Callable[[], DocumentContext]
    ) -> None:
        self._templates = templates
        self._context = context

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.text = await asyncio.to_thread(self._text)

    def _text(self) -> str:
        return json.dumps(document(self._templates(), self._context()), ensure_ascii=False)

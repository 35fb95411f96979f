"""GET /docs: Swagger UI with the OpenAPI document, from local files."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import falcon
import falcon.asgi

from torch_serving.errors import NotFound
from torch_serving.http.docs import operations
from torch_serving.http.docs.swagger_ui import (
    MISSING,
    PAGE,
    POLICY,
    SCRIPT,
    START,
    TYPES,
    find_files,
)
from torch_serving.http.interfaces import Route


class DocsRoutes:
    """The page at /docs, and its files."""

    def __init__(self) -> None:
        self._folder = find_files()

    def routes(self) -> Iterator[Route]:
        yield Route("/docs", DocsPage(self._folder), (operations.PAGE,))
        yield Route("/docs/{name}", DocsFile(self._folder), (operations.FILE,))

    def files(self) -> list[str]:
        """The names below /docs."""
        return [*TYPES, START] if self._folder else []


class DocsPage:
    """`folder` has Swagger UI's files. Without it, the page says how to install them."""

    def __init__(self, folder: Path | None) -> None:
        self._page = PAGE if folder else MISSING

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("content-security-policy", POLICY)
        resp.set_header("x-content-type-options", "nosniff")
        resp.text = self._page


class DocsFile:
    """One of the static files of the page. Raises NotFound for any other name."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        if self._folder is None or name not in (*TYPES, START):
            raise NotFound("the page is at /docs")
        resp.set_header("x-content-type-options", "nosniff")
        if name == START:
            resp.content_type, resp.data = falcon.MEDIA_JS, SCRIPT
        else:
            resp.content_type = TYPES[name]
            resp.data = await asyncio.to_thread((self._folder / name).read_bytes)

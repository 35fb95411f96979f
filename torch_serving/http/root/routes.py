"""GET /: where things are, for programs; for browsers the console, where there is one."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import falcon
import falcon.asgi

from torch_serving import __version__
from torch_serving.http.auth import ApiKeys
from torch_serving.http.interfaces import Route
from torch_serving.http.negotiation import quality_values
from torch_serving.http.root import operations

ShowPage = Callable[[falcon.asgi.Request, falcon.asgi.Response], Awaitable[None]]
PATHS = {
    "serve": "/serve",
    "models": "/models",
    "v2": "/v2",
    "metrics": "/metrics",
    "ready": "/ready",
    "docs": "/docs",
    "openapi": "/openapi.json",
}


class RootRoutes:
    """The route of /."""

    def __init__(
        self, root_path: str, api_keys: ApiKeys | None = None, show_page: ShowPage | None = None
    ) -> None:
        self._root = Root(root_path, api_keys, show_page)

    def routes(self) -> Iterator[Route]:
        yield Route("/", self._root, (operations.ROOT,))


class Root:
    """The page needs no key, as it tells nothing; what programs get does."""

    def __init__(
        self, root_path: str, api_keys: ApiKeys | None, show_page: ShowPage | None
    ) -> None:
        self._api_keys = api_keys
        self._show_page = show_page
        self._document = contents(root_path, show_page is not None)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.append_header("vary", "Accept")
        if self._show_page and prefers_html(req.accept):
            await self._show_page(req, resp)
            return
        if self._api_keys:
            headers = req.get_header("authorization"), req.get_header("x-api-key")
            self._api_keys.check(req.path, *headers)
        resp.media = self._document


def contents(root_path: str, has_console: bool) -> dict[str, Any]:
    """Where things are, as clients see the paths."""
    paths = {name: root_path + path for name, path in PATHS.items()}
    console = f"{root_path}/" if has_console else None
    return {"name": "torch-serving", "version": __version__, **paths, "console": console}


def prefers_html(accept: str) -> bool:
    """Whether a client asks for HTML by its name, and at least as much as for JSON."""
    qualities = quality_values(accept)
    html = qualities.get("text/html", 0.0)
    return html > 0 and html >= qualities.get("application/json", 0.0)

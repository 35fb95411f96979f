"""The files of the console, read when the first of them is asked for."""

import asyncio
import hashlib
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import falcon
import falcon.asgi

from torch_serving.errors import NotFound
from torch_serving.http.console.policy import apply_policy

FOLDER = Path(__file__).with_name("static")
PAGE = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class StaticFile(NamedTuple):
    """What is sent of a file."""

    content_type: str
    etag: str  # of the contents
    data: bytes


class ConsoleFiles:
    """The page, and the files that it loads: all in one folder, by their names."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @cached_property
    def _files(self) -> dict[str, StaticFile]:
        return {path.name: read(path) for path in self._folder.iterdir() if path.suffix in TYPES}

    async def show_page(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        await self._respond(PAGE, req, resp)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """Respond with a file beside the page. Raises NotFound."""
        if name == PAGE:  # what it loads lies elsewhere, as seen from here
            raise NotFound("the page is at /")
        await self._respond(name, req, resp)

    async def _respond(
        self, name: str, req: falcon.asgi.Request, resp: falcon.asgi.Response
    ) -> None:
        files = await asyncio.to_thread(lambda: self._files)
        if name not in files:
            raise NotFound("the page is at /")
        file = files[name]
        apply_policy(resp)
        resp.set_header("cache-control", "no-cache")
        resp.etag = file.etag
        if is_known(req, file.etag):
            resp.status = falcon.HTTP_304
            return
        resp.content_type, resp.data = file.content_type, file.data


def read(path: Path) -> StaticFile:
    data = path.read_bytes()
    return StaticFile(TYPES[path.suffix], hashlib.sha256(data).hexdigest()[:32], data)


def is_known(req: falcon.asgi.Request, etag: str) -> bool:
    """Whether the client has these contents already (RFC 9110, 13.1.2)."""
    known = req.if_none_match or []
    return "*" in known or any(str(each) == etag for each in known)

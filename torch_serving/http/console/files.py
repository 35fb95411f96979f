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
from torch_serving.http.content_coding import RESPONSE_CODINGS, SMALLEST, compress, response_coding

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
    data: dict[str, bytes]  # by content coding; "": as it is


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
        coding = response_coding(req.get_header("accept-encoding"))
        apply_policy(resp)
        resp.set_header("cache-control", "no-cache")
        resp.append_header("vary", "Accept-Encoding")
        resp.etag = etag = file.etag + coding  # other bytes have another tag (RFC 9110, 8.8.3.3)
        if is_known(req, etag):
            resp.status = falcon.HTTP_304
            return
        resp.content_type, resp.data = file.content_type, file.data[coding]
        if coding:
            resp.set_header("content-encoding", coding)


def read(path: Path) -> StaticFile:
    data = path.read_bytes()
    packed = {coding: compress(data, coding, SMALLEST) for coding in RESPONSE_CODINGS}
    return StaticFile(
        TYPES[path.suffix], hashlib.sha256(data).hexdigest()[:32], {"": data} | packed
    )


def is_known(req: falcon.asgi.Request, etag: str) -> bool:
    """Whether the client has these contents already (RFC 9110, 13.1.2)."""
    known = req.if_none_match or []
    return "*" in known or any(str(each) == etag for each in known)

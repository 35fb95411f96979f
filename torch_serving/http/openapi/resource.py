"""The document that describes the server, as it is when it is asked for."""

import asyncio
import json
from collections.abc import Callable, Iterable

import falcon
import falcon.asgi

from torch_serving.http.openapi.context import Facts
from torch_serving.http.openapi.document import document


class OpenApi:
    """`templates` gives the routes that are registered; `facts` reads files, so it has a thread."""

    def __init__(self, templates: Callable[[], Iterable[str]], facts: Callable[[], Facts]) -> None:
        self._templates = templates
        self._facts = facts

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.text = await asyncio.to_thread(self._text)

    def _text(self) -> str:
        return json.dumps(document(self._templates(), self._facts()), ensure_ascii=False)
